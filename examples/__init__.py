"""Whole stories to run; see README.md beside this file."""
