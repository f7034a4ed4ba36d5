"""Guess the breed, against the model; see docs/quiz.md."""
