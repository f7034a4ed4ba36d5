"""The commands of ``smartbreed``, one noun a file; heavy imports wait until a command runs."""
