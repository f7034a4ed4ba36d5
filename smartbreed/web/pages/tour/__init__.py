"""What the tour of the circle shows: corrected photos, what was said of them then, and what is said now."""
