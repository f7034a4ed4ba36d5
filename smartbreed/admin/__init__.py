"""Administration: feature switches, caps, and the audit log."""
