"""Models of one's own: a new head on the embeddings of the model that answers, from a few photographs."""
