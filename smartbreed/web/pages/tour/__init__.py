"""The tour of the feedback loop: corrected photos, each with the earlier and the current answer."""
