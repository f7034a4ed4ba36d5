"""Publish rows from the outbox to the dataset repo, each exactly once, even if a process dies midway.

One transaction assigns a row to one shard. A shard's file is on this disk before the shard is
in the database, it always goes to the same path of the repo, and it counts as published once the
Hub lists that path with the shard's sha256. Every step is therefore idempotent: any process may
repeat it at any time.
"""
