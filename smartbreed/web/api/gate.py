"""Run blocking work off the event loop, with limited concurrency.

`smartbreed.imaging.admission` limits the memory of photos in progress; they pass it when they are decoded.
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
    """Runs functions in worker threads, at most ``size`` at a time; the others wait in order.

    Args:
        size: most functions that run at once.
    """

    def __init__(self, size: int) -> None:
        self._limiter = anyio.CapacityLimiter(size)

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Return the result of ``function(*args, **kwargs)``, called in a worker thread."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._limiter)


def gate_for(services: Services) -> Gate:
    """Return a gate with twice as many threads as the model has interpreters, and some more.

    Some of the threads wait in `smartbreed.imaging.admission`.
    """
    return Gate(2 * services.identifier.threads + 3 * MOST_WAITING + WORKERS)
