"""The gallery: photos of known breeds, to explain an answer by the most similar ones. See docs/gallery.md."""
