"""Side-by-side measurements; each prints a table. Run with ``python -m benchmarks.NAME``."""
