"""What admins decide: which features are on, caps, and the log of what was done."""
