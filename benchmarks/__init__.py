"""Benchmarks that compare sides and print tables; run one with ``python -m benchmarks.NAME``."""
