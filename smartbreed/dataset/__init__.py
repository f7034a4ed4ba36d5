"""From the outbox to the dataset repo: exactly once, whatever dies in between.

A row is claimed by one shard in one transaction, a shard is a file on this disk before it is
a row, it always goes to the same path of the repo, and it counts as published when the Hub
lists that path with our sha256. So every step can be repeated, by any process, at any time.
"""
