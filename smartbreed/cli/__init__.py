"""The commands of ``smartbreed``, one module per noun. Heavy imports wait until a command runs."""
