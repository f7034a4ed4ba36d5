"""The offline page: the same two networks run in the browser, without an upload or a connection."""
