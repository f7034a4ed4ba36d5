"""How long one answer takes, batch 1, on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from smartbreed.inference.runtime import NETWORK_THREADS, Network

#: Timed runs of each network, after some that are not.
RUNS, WARM_UP = 80, 8


def latencies(
    networks: Mapping[str, Network], images: np.ndarray, runs: int = RUNS
) -> dict[str, dict[str, float]]:
    """Milliseconds of one answer of each network: ``milliseconds``, the median, and ``quiet_milliseconds``.

    The median is what a person waits on this machine, as busy as it is. The tenth percentile hardly feels
    what else the machine does, so networks are compared by it. They take turns.

    Args:
        networks: by name.
        images: float32 ``(n, height, width, 3)``, preprocessed.
        runs: timed runs of each.
    """
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(WARM_UP + runs):
        image = images[turn % len(images)][None]
        for name, network in networks.items():
            started = time.perf_counter()
            network(image)
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - started)
    return {
        name: {
            "milliseconds": float(np.median(values)) * 1000,
            "quiet_milliseconds": float(np.quantile(values, 0.1)) * 1000,
        }
        for name, values in times.items()
    }


def threads() -> int:
    """Threads that one network runs on here."""
    return NETWORK_THREADS
