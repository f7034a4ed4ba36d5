"""Slows down whoever guesses a password."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from threading import Lock

from smartbreed.errors import MaintainerError

#: Longest wait after wrong passwords, in seconds.
LONGEST_S = 30.0
#: Callers remembered for their wrong passwords; the oldest are forgotten first.
_CALLERS = 10_000


class Waits:
    """How long each caller has to wait: 1, 2, 4 … `LONGEST_S` seconds after each wrong password.

    Args:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def trying(self, caller: str) -> None:
        """Let a caller try, and make the next try wait unless `right` follows.

        Raises:
            MaintainerError: ``too_many_tries``: it is too soon; this was no try.
        """
        with self._lock:
            who = _network(caller)
            times, until = self._wrong.get(who, (0, 0.0))
            left = until - self._clock()
            if left > 0:
                raise MaintainerError(
                    "too_many_tries",
                    f"That was wrong a moment ago; wait {math.ceil(left)} s and try again.",
                    status=429,
                )
            self._wrong.pop(who, None)  # so that the latest comes last
            self._wrong[who] = (times + 1, self._clock() + min(2.0 ** min(times, 10), LONGEST_S))
            while len(self._wrong) > _CALLERS:
                del self._wrong[next(iter(self._wrong))]

    def right(self, caller: str) -> None:
        """It was right: what came before is forgotten."""
        with self._lock:
            self._wrong.pop(_network(caller), None)


def _network(caller: str) -> str:
    """The address, or for IPv6, where one person has millions of them, their network."""
    try:
        address = ipaddress.ip_address(caller)
    except ValueError:
        return caller[:100]
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else caller
