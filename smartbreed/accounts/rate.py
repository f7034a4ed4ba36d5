"""How often something may be done in an hour."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from smartbreed.accounts.login_throttle import network_of
from smartbreed.core.errors import AccountError

_HOUR_S = 3600.0


class Rate:
    """At most so many in an hour for each key; keys are forgotten after it.

    Args:
        most: how many.
        clock: the time in seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._guard = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def take(self, key: str) -> bool:
        """Count one more; False when that is too many."""
        now = self._clock()
        with self._guard:
            self._times = {k: times for k, times in self._times.items() if times[-1] > now - _HOUR_S}
            times = self._times.setdefault(key, deque(maxlen=self._most))
            if len(times) == self._most and times[0] > now - _HOUR_S:
                return False
            times.append(now)
            return True

    def check(self, caller: str) -> None:
        """`take` for the network of a caller.

        Raises:
            AccountError: ``too_many``.
        """
        if not self.take(network_of(caller)):
            raise AccountError(
                "too_many", "Too many requests from your network; try again later.", status=429
            )
