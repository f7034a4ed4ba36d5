"""Network builders. One architecture a file, the file named after it."""
