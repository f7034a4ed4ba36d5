"""What the embedded Hub answers, one file per concern; each has a table ``ROUTES``."""
