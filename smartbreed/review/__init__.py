"""Review of flags, which decides what a model may learn from: signals, the queue, decisions, trust.

Nothing here changes a flag. Each decision is a row of its own, and the latest one of a flag counts.
Decisions are never changed or deleted, so the history of every sample can be read.
"""
