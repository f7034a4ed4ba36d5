"""Hourly rate limits, shared by all replicas."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import AccountError
from smartbreed.core.salt import hash_token
from smartbreed.throttle.callers import network_of
from smartbreed.throttle.counts import count, counted

_HOUR_S = 3600
#: Seconds of an interval whose uses share a row; a use counts for an hour and at most this much longer.
STRETCH_S = 60


class Rate:
    """A limit of uses per hour for each key; safe for any number of threads and processes.

    A refused use costs a read and does not count; an allowed one costs a short write transaction. So use it
    only for occasional actions, such as starting a game, not for each photo.

    Args:
        name: of the limit; limits of one name on one database share their counts.
        most: maximum uses per hour and key.
        sessions: opens the database, on first use.
        salt: returns the salt for the hashes of the keys, on first use.
        clock: returns the seconds since 1970.
    """

    def __init__(
        self,
        name: str,
        most: int,
        sessions: Callable[[], Sessions],
        salt: Callable[[], bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name, self._most = name, most
        self._open, self._salt, self._clock = sessions, salt, clock

    def take(self, key: str) -> bool:
        """Count one more use; return False, without counting it, if the limit is reached.

        Raises:
            StorageError: the database refused; the use was not counted.
        """
        hashed = hash_token(self._salt(), f"rate {self._name} {key}")
        seconds = self._clock()
        now = dt.datetime.fromtimestamp(seconds, dt.UTC)
        end = (int(seconds) // STRETCH_S + 1) * STRETCH_S + _HOUR_S
        with read(self._open()) as session:  # refuse a flood without taking the write lock
            if counted(session, hashed, now) >= self._most:
                return False
        with write(self._open()) as session:
            if counted(session, hashed, now) >= self._most:
                return False
            count(session, hashed, dt.datetime.fromtimestamp(end, dt.UTC))
        return True

    def check(self, caller: str) -> None:
        """Call `take` for the network of a caller.

        Raises:
            AccountError: ``too_many``: the limit is reached.
            StorageError: the database refused.
        """
        if not self.take(network_of(caller)):
            raise AccountError(
                "too_many", "Too many requests from your network; try again later.", status=429
            )
