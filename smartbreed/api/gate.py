"""Blocking work off the event loop, and only so much of it at once.

Every photo in work holds its decoded pixels; without a bound, forty requests of
the largest photos allowed would hold forty of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread

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
    """One more than the model's interpreters, so that one photo is decoded while others are looked at."""
    return Gate(services.identifier.threads + 1)
