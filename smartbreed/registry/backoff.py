"""Which releases are to be tried again, and when: those whose trial came to no verdict."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds before the second try; each further one waits twice as long, up to the longest.
FIRST_S, LONGEST_S = 60.0, 6 * 3600.0


class Backoff:
    """Back-off for each revision.

    Args:
        clock: seconds that only go forward; tests bring their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[str, tuple[int, float]] = {}  # how many, and when the next may be

    def put_off(self, revision: str) -> None:
        """It was tried in vain just now."""
        times, _ = self._tries.get(revision, (0, 0.0))
        pause = min(FIRST_S * 2.0 ** min(times, 20), LONGEST_S)
        self._tries[revision] = (times + 1, self._clock() + pause)

    def too_soon(self, revision: str) -> bool:
        """Whether the next try has to wait."""
        return self._clock() < self._tries.get(revision, (0, 0.0))[1]

    def forget(self, revision: str) -> None:
        """It was tried to the end, or somebody asks for it now."""
        self._tries.pop(revision, None)
