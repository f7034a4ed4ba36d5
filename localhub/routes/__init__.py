"""The routes of the embedded Hub, one file per concern; each has a table ``ROUTES``."""
