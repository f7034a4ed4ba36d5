"""Database tables of the statistics. They hold only sums per day, no photos and nothing about a person."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime


class UsageCount(Base):
    """A count for one day, version, kind and key; see `smartbreed.statistics.usage`."""

    __tablename__ = "usage_counts"

    #: In UTC; `smartbreed.statistics.usage.EVER` for the totals of all days.
    day: Mapped[dt.date] = mapped_column(sa.Date, primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    #: What is counted, such as ``breed``; the key says which one.
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    number: Mapped[int] = mapped_column(sa.BigInteger)


class UsageWriter(Base):
    """The number of the last batch that a process has written, so that no batch is added twice."""

    __tablename__ = "usage_writers"

    #: Random, one per process.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    batch: Mapped[int] = mapped_column(sa.BigInteger)
    written_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


class FlagCount(Base):
    """The number of flags, without withdrawn ones, by day, model revision, predicted breed and verdict.

    Triggers on the table ``flags`` (migration 0009) update it in the transaction that changes a flag.
    """

    __tablename__ = "flag_counts"
    #: A covering index: sums over all days need neither the table nor sorting.
    __table_args__ = (sa.Index(None, "revision", "predicted", "verdict", "number"),)

    #: Day on which the pet was flagged, in UTC.
    day: Mapped[dt.date] = mapped_column(sa.Date, primary_key=True)
    #: Revision of the model that gave the answer.
    revision: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    #: Breed id that the model gave; empty for none.
    predicted: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    verdict: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    number: Mapped[int] = mapped_column(sa.BigInteger)
