"""The quiz: players guess breeds in competition with the model. See docs/quiz.md."""
