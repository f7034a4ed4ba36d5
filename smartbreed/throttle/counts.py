"""Counts of uses by salted key, each with an expiry.

Uses with the same expiry share a row, so a key has few rows however high its limit is. The caller provides
the transaction: inside an existing write transaction, counting needs no second one.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read, write
from smartbreed.throttle.tables import UseCount, WrongTries


def counted(session: Session, key: str, now: dt.datetime) -> int:
    """Return how many uses of a key have not expired."""
    query = sa.select(sa.func.sum(UseCount.uses)).where(UseCount.key == key, UseCount.counts_until > now)
    return session.scalar(query) or 0


def count(session: Session, key: str, until: dt.datetime) -> None:
    """Add one use. Call it in a transaction of `smartbreed.core.database.write`, which is the only writer.

    Args:
        until: when the use expires; uses with the same expiry share a row.
    """
    row = session.get(UseCount, (key, until))
    if row is None:
        session.add(UseCount(key=key, counts_until=until, uses=1))
    else:
        row.uses += 1


def sweep(sessions: Sessions, now: dt.datetime) -> int:
    """Delete expired rows; write only if there are any.

    Returns:
        How many rows were deleted.

    Raises:
        StorageError: the database refused.
    """
    with read(sessions) as session:
        due = any(
            session.scalar(sa.select(table.key).where(table.counts_until <= now).limit(1)) is not None
            for table in (UseCount, WrongTries)
        )
    if not due:
        return 0
    swept = 0
    with write(sessions) as session:
        for table in (UseCount, WrongTries):
            done = session.execute(sa.delete(table).where(table.counts_until <= now).returning(table.key))
            swept += len(done.all())
    return swept
