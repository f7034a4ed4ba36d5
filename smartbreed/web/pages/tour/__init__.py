"""The tour of the feedback loop: corrected photos, with the answers of then and of now."""
