"""From what people flag to what a model may learn: signals, the queue, decisions, trust.

Nothing here changes a flag. A decision is a row of its own, the latest one of a flag counts,
and a row is never changed or deleted, so the history of every sample can be read.
"""
