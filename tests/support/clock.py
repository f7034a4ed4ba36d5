"""A clock that a test moves, and waiting for what other threads and processes do."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

#: Seconds after which something is taken to never happen; only there so that a failure ends.
PATIENCE_S = 200.0
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


class Clock:
    """The time, as a test wants it; call it for an aware datetime.

    Attributes:
        now: may be set.
    """

    def __init__(self, now: dt.datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def seconds(self) -> float:
        """For those who count in seconds."""
        return self.now.timestamp()

    def forward(self, seconds: float = 0, **length: float) -> None:
        """Move on, or back; ``length`` as of `datetime.timedelta`."""
        self.now += dt.timedelta(seconds=seconds, **length)


def until(
    condition: Callable[[], object], seconds: float = PATIENCE_S, why: str = "it never happened"
) -> None:
    """Wait for something to become true; the limit is only there so that a failure ends."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, why
        time.sleep(0.02)
