"""Slows down whoever guesses a password, and never keeps out who knows it.

Behind a proxy, in a container or on a Space everybody comes from one address, so a rule that
refuses an address after wrong tries would let any stranger keep the maintainers out. Here every
try is compared, and costs time before it is: a caller that was wrong lately waits in the slow
lane, where one try a second is made for all of them together. What comes while a lane is full is
refused without a comparison.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from smartbreed.errors import MaintainerError

#: Seconds that a try in the slow lane takes before it is compared.
SLOW_S = 1.0
#: Tries that may wait in each lane; each holds a thread of the server.
FAST_PLACES, SLOW_PLACES = 8, 4
#: A caller is slow for 1, 2, 4 … seconds after each wrong try, and for this long at most.
LONGEST_S = 30 * 60.0
#: Callers remembered for their wrong passwords; the oldest are forgotten first.
_CALLERS = 10_000


class Waits:
    """Two lanes in front of a comparison.

    Args:
        clock: the time in seconds.
        pause: waits some seconds; tests bring their own.
    """

    def __init__(self, clock: Callable[[], float], pause: Callable[[float], None] = time.sleep) -> None:
        self._clock = clock
        self._pause = pause
        self._lock = Lock()
        self._wrong: dict[str, tuple[int, float]] = {}
        self._fast, self._slow = _Lane(FAST_PLACES), _Lane(SLOW_PLACES)

    def compare(self, caller: str, right: Callable[[], bool]) -> bool:
        """Whether a try is right, found out as slowly as the caller has deserved; blocks meanwhile.

        Args:
            caller: address of who tries, as far as it is known.
            right: compares; should be costly itself, as it is all that a new caller waits for.

        Raises:
            MaintainerError: ``too_many_tries``: too many wait already; this was no try.
        """
        who = _network(caller)
        lane = self._slow if self.slow(caller) else self._fast
        with lane.turn():
            if lane is self._slow:
                self._pause(SLOW_S)
            found = right()
        with self._lock:
            times, _ = self._wrong.pop(who, (0, 0.0))  # so that the latest comes last
            if not found:
                self._wrong[who] = (times + 1, self._clock() + min(2.0 ** min(times, 20), LONGEST_S))
            while len(self._wrong) > _CALLERS:
                del self._wrong[next(iter(self._wrong))]
        return found

    def slow(self, caller: str) -> bool:
        """Whether somebody at this address was wrong lately."""
        with self._lock:
            return self._clock() < self._wrong.get(_network(caller), (0, 0.0))[1]


class _Lane:
    """One at a time, with so many ``places`` to wait in."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._guard, self._turn = Lock(), Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._guard:
            if not self._places:
                raise MaintainerError(
                    "too_many_tries", "Many are trying to sign in; try again in a few seconds.", status=429
                )
            self._places -= 1
        try:
            with self._turn:
                yield
        finally:
            with self._guard:
                self._places += 1


def _network(caller: str) -> str:
    """The address, or for IPv6, where one person has millions of them, their network."""
    try:
        address = ipaddress.ip_address(caller)
    except ValueError:
        return caller[:100]
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else caller
