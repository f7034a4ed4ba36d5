"""Photographs to explain by: which of them the model finds most like a pet. See docs/gallery.md."""
