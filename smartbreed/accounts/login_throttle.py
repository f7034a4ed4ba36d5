"""Slows down password guessing, and never locks out a browser that signed in before.

Behind a proxy, in a container or on a Space all visitors come from one address, so a rule that
refuses an address after wrong tries would let any visitor keep the maintainers out. Here every
try costs time before it is compared: a caller that was wrong lately waits in the slow lane, where
one try a second is made for all of them together. A lane has few places, for each holds a thread;
what comes while it is full is refused without a comparison.

A flood of guesses can keep a lane full. So a browser that signed in before has a lane of its own
(OWASP: "device cookies"), where no other browser's tries are; a new browser comes again until it finds
a place, which the page does by itself. To compare every try at once instead would give guessers
as many tries as they can send.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from smartbreed.core.errors import MaintainerError

#: Seconds that a try in the slow lane takes before it is compared.
SLOW_S = 1.0
#: Tries that may wait in each lane; each holds a thread of the server.
FAST_PLACES, SLOW_PLACES, DEVICE_PLACES = 8, 4, 2
#: A caller is slow for 1, 2, 4 … seconds after each wrong try, and for this long at most.
LONGEST_S = 30 * 60.0
#: Wrong tries in a row after which a browser is no longer taken for the one that signed in.
_DEVICE_TRIES = 10
#: Callers remembered for their wrong passwords; the oldest are forgotten first.
_CALLERS = 10_000
_DEVICES = 200


class LoginThrottle:
    """The lanes in front of a comparison.

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
        self._devices: dict[str, _Lane] = {}

    def compare(self, caller: str, right: Callable[[], bool], device: str = "") -> bool:
        """Whether a try is right, found out as slowly as the caller has deserved; blocks meanwhile.

        Args:
            caller: address of who tries, as far as it is known.
            right: compares; should be costly itself, as it is all that a new caller waits for.
            device: name of a browser that signed in before; empty: it is not known.

        Raises:
            MaintainerError: ``too_many_tries``: too many wait already; this was no try.
        """
        known = bool(device) and self._tries(device) < _DEVICE_TRIES
        who = device if known else network_of(caller)
        slow = self._is_slow(who)
        lane = self._device_lane(device) if known else self._slow if slow else self._fast
        with lane.turn():
            if slow:
                self._pause(SLOW_S)
            found = right()
        with self._lock:
            times, _ = self._wrong.pop(who, (0, 0.0))  # so that the latest comes last
            if not found:
                self._wrong[who] = (times + 1, self._clock() + min(2.0 ** min(times, 20), LONGEST_S))
            while len(self._wrong) > _CALLERS:
                del self._wrong[next(iter(self._wrong))]
        return found

    def _is_slow(self, who: str) -> bool:
        with self._lock:
            return self._clock() < self._wrong.get(who, (0, 0.0))[1]

    def _tries(self, device: str) -> int:
        with self._lock:
            return self._wrong.get(device, (0, 0.0))[0]

    def _device_lane(self, device: str) -> _Lane:
        with self._lock:
            lane = self._devices.pop(device, None) or _Lane(DEVICE_PLACES)
            self._devices[device] = lane  # the latest last
            while len(self._devices) > _DEVICES:
                del self._devices[next(iter(self._devices))]
            return lane


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


def network_of(caller: str) -> str:
    """The address, or for IPv6, where one person has millions of them, their network."""
    try:
        address = ipaddress.ip_address(caller)
    except ValueError:
        return caller[:100]
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else caller
