"""Database tables of the publisher: shards, the rows assigned to them, and the state of publishing."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: ``sealed``: the Hub does not have this content yet; ``published``: it has; ``parked``: it refused it.
SHARD_STATES = ("sealed", "published", "parked")


class Shard(Base):
    """One parquet file of the dataset repo, published or still to be published."""

    __tablename__ = "shards"
    __table_args__ = (
        sa.CheckConstraint(sa.column("state").in_(SHARD_STATES), "state"),
        sa.UniqueConstraint("path"),
        sa.Index(None, "state", "target"),
    )

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: Configuration of the dataset: flags or reviews.
    config: Mapped[str] = mapped_column(sa.String(16))
    #: Hub and repo it belongs to, such as ``embedded smartbreed/flags``.
    target: Mapped[str] = mapped_column(sa.String(400))
    #: Mark of the disk that holds its file and photos; publishers on other disks leave it alone.
    disk: Mapped[str] = mapped_column(sa.String(32))
    #: Path in the repo; it never changes, even if a withdrawn row is taken out.
    path: Mapped[str] = mapped_column(sa.String(120))
    #: sha256 of its current content, which names its file in ``SMARTBREED_HOME/shards``; empty without rows.
    sha256: Mapped[str] = mapped_column(sa.String(64))
    size: Mapped[int]
    #: Number of rows; 0 means that the file has to be deleted from the repo.
    rows: Mapped[int]
    #: JSON: the counts that the dataset card shows.
    facts: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), default="sealed")
    sealed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: Commit at which the Hub was seen to have this content.
    commit: Mapped[str | None] = mapped_column(sa.String(64))
    #: Why it is parked.
    problem: Mapped[str | None] = mapped_column(sa.String(1000))


class ShardRow(Base):
    """The assignment of a row to its shard; the primary key keeps a row from being in two shards."""

    __tablename__ = "shard_rows"
    __table_args__ = (sa.Index(None, "shard_id"),)

    config: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    row_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    shard_id: Mapped[str] = mapped_column(sa.String(26), sa.ForeignKey("shards.id"))


class ParkedRow(Base):
    """A row that cannot be published now, and why; every run checks it again."""

    __tablename__ = "parked_rows"

    config: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    row_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.String(300))
    parked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Erasure(Base):
    """An old shard content that must be erased from the repo's history too."""

    __tablename__ = "erasures"

    sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    target: Mapped[str] = mapped_column(sa.String(400), primary_key=True)
    path: Mapped[str] = mapped_column(sa.String(120))
    asked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class PublishingState(Base):
    """The state of publishing from one disk: the last failure, and when to try again."""

    __tablename__ = "publishing"

    disk: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    target: Mapped[str | None] = mapped_column(sa.String(400))
    #: When the repo was created, according to the Hub; a different time means that it is another repo.
    repo_created: Mapped[str | None] = mapped_column(sa.String(64))
    #: Number of failed attempts in a row.
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: True if a person has to act before the next attempt.
    refused: Mapped[bool] = mapped_column(default=False)
    problem: Mapped[str | None] = mapped_column(sa.String(1000))
    problem_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    success_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: True if the dataset card lags behind the shards.
    card_stale: Mapped[bool] = mapped_column(default=False)
    #: JSON: path → what is wrong with that foreign or changed file of the repo.
    foreign: Mapped[str | None] = mapped_column(sa.Text)
