"""Slow down password guessing, without ever locking out a browser that signed in before.

Behind a proxy, in a container or on a Space all visitors share one address, so a rule that
blocks an address after wrong tries would let any visitor lock the maintainers out. Here every
try costs time before it is compared: a caller with recent wrong tries waits in the slow lane, which
compares one try a second for all such callers together. A lane has few places, because each waiting
try holds a thread; while it is full, further tries are refused without a comparison.

A flood of guesses can keep a lane full. So a browser that signed in before has a lane of its own
(OWASP: "device cookies"), which other browsers' tries cannot fill. A new browser has to try again until
it gets a place, which the page does automatically. Comparing every try at once instead would give
guessers as many tries as they can send.

Wrong passwords are counted in the database (`smartbreed.throttle.tables.WrongTries`): what one replica saw
slows the next try at another. Lanes belong to one process, as its threads do, so each replica compares
one try a second in its slow lane.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import sqlalchemy as sa

from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import MaintainerError
from smartbreed.core.salt import hash_token
from smartbreed.throttle.callers import network_of
from smartbreed.throttle.tables import WrongTries

#: Seconds that a try in the slow lane waits before it is compared.
SLOW_S = 1.0
#: Tries that each kind of lane holds at once, the one being compared included; each holds a server thread.
FAST_PLACES, SLOW_PLACES, DEVICE_PLACES = 8, 4, 2
#: After each wrong try a caller is slow for 1, 2, 4 … seconds, and for at most this many.
LONGEST_S = 30 * 60.0
#: Wrong tries in a row after which a browser loses its own lane.
_DEVICE_TRIES = 10
#: Seconds after the last wrong try until all of them expire.
FORGOTTEN_S = 24 * 3600.0
#: Browsers with a lane of their own; the least recently used one loses it first.
_DEVICES = 200


class LoginThrottle:
    """The lanes in which password tries wait before they are compared.

    Args:
        name: of what the password opens; throttles of one name on one database share their wrong tries.
        sessions: opens the database, on first use.
        salt: returns the salt for hashing callers, on first use.
        clock: returns the seconds since 1970.
        pause: sleeps for some seconds; replaced in tests.
    """

    def __init__(
        self,
        name: str,
        sessions: Callable[[], Sessions],
        salt: Callable[[], bytes],
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name, self._open, self._salt = name, sessions, salt
        self._clock = clock
        self._pause = pause
        self._lock = Lock()
        self._fast, self._slow = _Lane(FAST_PLACES), _Lane(SLOW_PLACES)
        self._devices: dict[str, _Lane] = {}

    def compare(self, caller: str, right: Callable[[], bool], device: str = "") -> bool:
        """Return whether a try is right. Blocks while the try waits in its lane.

        Args:
            caller: network address of the client, as far as it is known.
            right: makes the comparison; should itself be costly, as a new caller waits for nothing else.
            device: name of a browser that signed in before; empty if unknown.

        Raises:
            MaintainerError: ``too_many_tries``: the lane is full; the try was neither compared nor counted.
            StorageError: the database refused; a wrong try may not have been counted, and gets no result.
        """
        known = False
        if device:
            wrong = self._wrong(self._key("browser", device))
            known = wrong is None or wrong.tries < _DEVICE_TRIES
        who = self._key("browser", device) if known else self._key("caller", network_of(caller))
        wrong = self._wrong(who)
        slow = wrong is not None and self._now() < wrong.slow_until
        lane = self._device_lane(device) if known else self._slow if slow else self._fast
        with lane.turn():
            if slow:
                self._pause(SLOW_S)
            found = right()
        if not found:
            self._count(who)
        elif self._wrong(who) is not None:
            self._forget(who)
        return found

    def _key(self, kind: str, who: str) -> str:
        return hash_token(self._salt(), f"wrong password {self._name} {kind} {who}")

    def _wrong(self, who: str) -> WrongTries | None:
        with read(self._open()) as session:
            query = sa.select(WrongTries).where(WrongTries.key == who, WrongTries.counts_until > self._now())
            return session.scalar(query)

    def _count(self, who: str) -> None:
        with write(self._open()) as session:
            now = self._now()
            row = session.get(WrongTries, who)
            before = 0 if row is None or row.counts_until <= now else row.tries
            if row is None:
                row = WrongTries(key=who)
                session.add(row)
            row.tries = before + 1
            row.slow_until = now + dt.timedelta(seconds=min(2.0 ** min(before, 20), LONGEST_S))
            row.counts_until = now + dt.timedelta(seconds=FORGOTTEN_S)

    def _forget(self, who: str) -> None:
        with write(self._open()) as session:
            session.execute(sa.delete(WrongTries).where(WrongTries.key == who))

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), dt.UTC)

    def _device_lane(self, device: str) -> _Lane:
        with self._lock:
            lane = self._devices.pop(device, None) or _Lane(DEVICE_PLACES)
            self._devices[device] = lane  # the most recently used last
            while len(self._devices) > _DEVICES:
                del self._devices[next(iter(self._devices))]
            return lane


class _Lane:
    """A lock that admits one try at a time and holds at most ``places`` tries, the admitted one included."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._guard, self._turn = Lock(), Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._guard:
            if not self._places:
                raise MaintainerError(
                    "too_many_tries",
                    ("Many people are trying to sign in; try again in a few seconds."),
                    status=429,
                )
            self._places -= 1
        try:
            with self._turn:
                yield
        finally:
            with self._guard:
                self._places += 1
