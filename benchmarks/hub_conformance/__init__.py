"""huggingface_hub's and datasets' own tests against localhub: ``python -m benchmarks.hub_conformance``."""
