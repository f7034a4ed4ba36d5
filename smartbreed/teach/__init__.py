"""Custom models for members: a new head on the embeddings of the serving model, trained on a few photos."""
