"""Networks of fast tests are not compiled: tiny ones take longer to trace than to run."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def eager(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run tensorflow's functions eagerly; slow tests trace and compile them as a training does."""
    if "tensorflow" not in sys.modules or request.node.get_closest_marker("slow"):
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
