"""Counts of flags: as the database triggers (migration 0009) keep them, or recounted from all flags."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read, write
from smartbreed.feedback.tables import Flag
from smartbreed.statistics.tables import FlagCount


class FlagKey(NamedTuple):
    """The key by which flags are counted."""

    day: dt.date
    revision: str
    predicted: str
    verdict: str


def kept_counts(sessions: Sessions) -> dict[FlagKey, int]:
    """Return the counts that the triggers keep.

    Raises:
        StorageError: the database refused.
    """
    with read(sessions) as session:
        return _kept(session)


def counted_anew(sessions: Sessions) -> dict[FlagKey, int]:
    """Count all flags; takes seconds for a million.

    Raises:
        StorageError: the database refused.
    """
    with read(sessions) as session:
        return _anew(session)


def recompute(sessions: Sessions) -> int:
    """Recount all flags and replace the kept counts if any is wrong.

    Returns:
        How many kept counts were wrong; 0 unless a person has edited the tables.

    Raises:
        StorageError: the database refused; nothing has changed.
    """
    with write(sessions) as session:
        kept, found = _kept(session), _anew(session)
        wrong = {key for key in kept.keys() | found.keys() if kept.get(key) != found.get(key)}
        if wrong:
            session.execute(sa.delete(FlagCount))
            if found:
                rows = [{**key._asdict(), "number": number} for key, number in found.items()]
                session.execute(sa.insert(FlagCount), rows)
        return len(wrong)


def _kept(session: Session) -> dict[FlagKey, int]:
    columns = (FlagCount.day, FlagCount.revision, FlagCount.predicted, FlagCount.verdict, FlagCount.number)
    return {FlagKey(*row[:4]): row[4] for row in session.execute(sa.select(*columns))}


def _anew(session: Session) -> dict[FlagKey, int]:
    day: sa.ColumnElement[dt.date]
    if session.get_bind().dialect.name == "postgresql":
        day = sa.cast(sa.func.timezone("UTC", Flag.flagged_at), sa.Date)
    else:
        day = sa.func.date(Flag.flagged_at, type_=sa.Date)
    columns = (day, Flag.model_revision, sa.func.coalesce(Flag.predicted, ""), Flag.verdict)
    query = (
        sa.select(*columns, sa.func.count())
        .where(Flag.state != "withdrawn")
        .group_by(*(sa.text(str(n)) for n in (1, 2, 3, 4)))
    )
    return {FlagKey(*row[:4]): row[4] for row in session.execute(query)}
