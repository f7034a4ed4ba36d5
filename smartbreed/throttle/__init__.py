"""Rate limits and login throttling, counted in the database, so that all replicas share the counts."""
