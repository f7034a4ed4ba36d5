"""Complete examples to run; see README.md beside this file."""
