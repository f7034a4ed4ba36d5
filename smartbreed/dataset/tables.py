"""Tables of the publisher: shards, whose rows they are, and where publishing stands."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: ``sealed``: to be made so on the Hub; ``published``: the Hub has it; ``parked``: refused by the Hub.
SHARD_STATES = ("sealed", "published", "parked")


class Shard(Base):
    """One parquet file of the dataset repo, as it is or is to be."""

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
    #: Mark of the disk its file and its photos lie on; other disks leave it alone.
    disk: Mapped[str] = mapped_column(sa.String(32))
    #: Where it lies in the repo; never changes, also when a withdrawn row is taken out.
    path: Mapped[str] = mapped_column(sa.String(120))
    #: Content it is to have; the name of its file under ``SMARTBREED_HOME/shards``.
    sha256: Mapped[str] = mapped_column(sa.String(64))
    size: Mapped[int]
    #: Rows in it; 0: the file is to be deleted.
    rows: Mapped[int]
    #: JSON: what the dataset card counts.
    facts: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), default="sealed")
    sealed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: Commit in which the Hub was seen to have it.
    commit: Mapped[str | None] = mapped_column(sa.String(64))
    #: Why it is parked.
    problem: Mapped[str | None] = mapped_column(sa.String(1000))


class ShardRow(Base):
    """That a row belongs to a shard; the key is what makes it impossible to be in two."""

    __tablename__ = "shard_rows"
    __table_args__ = (sa.Index(None, "shard_id"),)

    config: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    row_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    shard_id: Mapped[str] = mapped_column(sa.String(26), sa.ForeignKey("shards.id"))


class ParkedRow(Base):
    """A row that cannot be published now, and why; looked at again in every run."""

    __tablename__ = "parked_rows"

    config: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    row_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.String(300))
    parked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Erasure(Base):
    """A content that held a withdrawn row and must leave the repo's history too."""

    __tablename__ = "erasures"

    sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    target: Mapped[str] = mapped_column(sa.String(400), primary_key=True)
    path: Mapped[str] = mapped_column(sa.String(120))
    asked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


class PublishingState(Base):
    """Where publishing from one disk stands: what failed last, and when to try again."""

    __tablename__ = "publishing"

    disk: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    target: Mapped[str | None] = mapped_column(sa.String(400))
    #: When the Hub says the repo was made; another answer means that it vanished meanwhile.
    repo_created: Mapped[str | None] = mapped_column(sa.String(64))
    #: Attempts that failed in a row.
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: Whether a person has to do something before it is tried again.
    refused: Mapped[bool] = mapped_column(default=False)
    problem: Mapped[str | None] = mapped_column(sa.String(1000))
    problem_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    success_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: Whether the dataset card lags behind the shards.
    card_stale: Mapped[bool] = mapped_column(default=False)
    #: JSON: path → what is wrong with a file of the repo that is not ours.
    foreign: Mapped[str | None] = mapped_column(sa.Text)
