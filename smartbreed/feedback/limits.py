"""Limits: how many flags are saved per client and in total, and how much disk their photos may fill."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.admin.switches import current
from smartbreed.core.errors import FlagError
from smartbreed.feedback.tables import Flag
from smartbreed.throttle.counts import count, counted

if TYPE_CHECKING:  # pydantic costs 0.3 s, and only the type is needed
    from smartbreed.core.settings import Settings

#: Seconds after which the size of the stored photos is measured again; other processes store photos too.
_MEASURE_S = 300.0


@dataclass(frozen=True)
class Limits:
    """The limits that `Guard` enforces; 0 means no limit.

    Attributes:
        take: whether flags are saved at all.
        client: flags of one client per UTC day.
        total: flags of all clients per UTC day.
        quota: bytes of all stored photos.
    """

    take: bool = True
    client: int = 0
    total: int = 0
    quota: int = 0

    @classmethod
    def now(cls, settings: Settings, session: Session) -> Limits:
        """Return the limits that an admin has set, else those of the settings."""
        take, client, total, quota = current(
            session, settings, "flags", "client_flags", "total_flags", "quota"
        )
        return cls(bool(take), client, total, quota)


class Guard:
    """Refuses flags beyond the limits before anything is stored; safe for any number of threads.

    Args:
        limits: the limits, or a function that returns the current ones for a session.
        folder: of the stored photos.
    """

    def __init__(self, limits: Limits | Callable[[Session], Limits], folder: Path) -> None:
        self._limits = limits
        self._folder = folder
        self._guard = threading.Lock()
        self._bytes, self._measured_at = 0, float("-inf")

    def check(self, session: Session, flagger: str, client: str, size: int) -> None:
        """Raise unless one more flag may be saved. Call it in the transaction that saves the flag.

        Args:
            flagger: salted hash of the person.
            client: salted hash of where the request comes from; empty if unknown.
            size: bytes that its photo adds to the disk.

        Raises:
            FlagError: ``flags_closed`` (503), ``too_many_flags`` (429) or ``quota_full`` (507).
        """
        limits = self._limits if isinstance(self._limits, Limits) else self._limits(session)
        if not limits.take:
            raise FlagError("flags_closed", "Flags are not accepted here at the moment.", status=503)
        now = dt.datetime.now(dt.UTC)
        midnight = _midnight(now)
        today = sa.select(sa.func.count()).select_from(Flag).where(Flag.flagged_at >= midnight)
        if limits.client:
            mine = session.scalar(today.where(Flag.flagger == flagger)) or 0
            if max(mine, counted(session, client, now)) >= limits.client:
                raise FlagError(
                    "too_many_flags",
                    f"At most {limits.client} flags a day are accepted from one place; "
                    "please go on tomorrow.",
                    status=429,
                )
        if limits.total and (session.scalar(today) or 0) >= limits.total:
            raise FlagError(
                "too_many_flags", "No more flags are accepted today; please come back tomorrow.", status=429
            )
        if limits.quota and size and self._stored() + size > limits.quota:
            raise FlagError(
                "quota_full", "The space for photos is used up, so the flag was not saved.", status=507
            )

    def taken(self, session: Session, client: str) -> None:
        """Count a flag for its client until midnight (UTC), in the transaction that saves it."""
        if client:
            count(session, client, _midnight(dt.datetime.now(dt.UTC)) + dt.timedelta(days=1))

    def stored(self, size: int) -> None:
        """Record that a photo has added ``size`` bytes to the disk."""
        with self._guard:
            self._bytes += size

    def _stored(self) -> int:
        with self._guard:
            if time.monotonic() - self._measured_at > _MEASURE_S:
                self._bytes = sum(_size(path) for path in self._folder.glob("??/??/*"))
                self._measured_at = time.monotonic()
            return self._bytes


def _size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it has been deleted in the meantime."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _midnight(now: dt.datetime) -> dt.datetime:
    """Return the moment when the day of ``now`` began."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
