"""Test suites of huggingface_hub and datasets against localhub: ``python -m benchmarks.hub_conformance``."""
