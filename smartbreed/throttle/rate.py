"""How often something may be done in an hour, in all replicas together."""

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
#: Uses within so many seconds are one row; a use counts for an hour and at most so much longer.
STRETCH_S = 60


class Rate:
    """At most so many in an hour for each key; safe for any number of threads and processes.

    What is refused costs a read and does not count; what is allowed costs a short transaction. Hold
    only to it what is done now and then, such as beginning a game: not each photo.

    Args:
        name: of what is limited; rates of one name on one database share their counts.
        most: how many.
        sessions: opens the database, on first use.
        salt: gives the salt of the keys' hashes, on first use.
        clock: the time in seconds.
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
        """Count one more; False when that is too many.

        Raises:
            StorageError: the database refused; it was not counted.
        """
        hashed = hash_token(self._salt(), f"rate {self._name} {key}")
        seconds = self._clock()
        now = dt.datetime.fromtimestamp(seconds, dt.UTC)
        end = (int(seconds) // STRETCH_S + 1) * STRETCH_S + _HOUR_S
        with read(self._open()) as session:  # a flood is refused without a place among the writers
            if counted(session, hashed, now) >= self._most:
                return False
        with write(self._open()) as session:
            if counted(session, hashed, now) >= self._most:
                return False
            count(session, hashed, dt.datetime.fromtimestamp(end, dt.UTC))
        return True

    def check(self, caller: str) -> None:
        """`take` for the network of a caller.

        Raises:
            AccountError: ``too_many``.
            StorageError: the database refused.
        """
        if not self.take(network_of(caller)):
            raise AccountError(
                "too_many", "Too many requests from your network; try again later.", status=429
            )
