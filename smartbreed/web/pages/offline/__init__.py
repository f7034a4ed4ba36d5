"""Naming pets in the browser itself: the same two networks, no upload, no connection."""
