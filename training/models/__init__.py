"""Network builders: one architecture per file, and the file is named after it."""
