"""Blocking work off the event loop, and only so much of it at once.

How much memory the photos in work take is bounded by `smartbreed.imaging.admission`, which they pass when
they are decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread

from smartbreed.imaging.admission import MOST_WAITING, WORKERS
from smartbreed.services import Services

T = TypeVar("T")


class Gate:
    """Runs functions in worker threads, at most ``size`` at a time; the others wait their turn in order.

    Args:
        size: functions run side by side.
    """

    def __init__(self, size: int) -> None:
        self._limiter = anyio.CapacityLimiter(size)

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """``function(*args, **kwargs)`` in a thread."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._limiter)


def gate_for(services: Services) -> Gate:
    """Twice the model's interpreters and a few: some wait in `smartbreed.imaging.admission`."""
    return Gate(2 * services.identifier.threads + 3 * MOST_WAITING + WORKERS)
