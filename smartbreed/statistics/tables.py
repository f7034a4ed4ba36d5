"""Tables of what is counted. Nothing in them is about a person or holds a photo: only sums by day."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime


class UsageCount(Base):
    """How often something was so, on one day with one version; see `smartbreed.statistics.usage`."""

    __tablename__ = "usage_counts"

    #: UTC.
    day: Mapped[dt.date] = mapped_column(sa.Date, primary_key=True)
    version: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    #: What is counted, such as ``breed``, and which one.
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    number: Mapped[int] = mapped_column(sa.BigInteger)


class UsageWriter(Base):
    """The last batch of counts that a process has written, so that none is added twice."""

    __tablename__ = "usage_writers"

    #: Random, one a process.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    batch: Mapped[int] = mapped_column(sa.BigInteger)
    written_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


class FlagCount(Base):
    """How many flags that were not taken back say the same of the same, by day.

    Triggers on the table ``flags`` keep it (revision 0009), in the transaction that changes the flag.
    """

    __tablename__ = "flag_counts"
    #: Sums over all days are read from it in order, without the table and without sorting.
    __table_args__ = (sa.Index(None, "revision", "predicted", "verdict", "number"),)

    #: UTC.
    day: Mapped[dt.date] = mapped_column(sa.Date, primary_key=True)
    #: Of the model that gave the answer.
    revision: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    #: Breed id it gave; empty for none.
    predicted: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    verdict: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    number: Mapped[int] = mapped_column(sa.BigInteger)
