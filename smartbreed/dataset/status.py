"""The status of publishing, for the page, the command line and maintainers."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read
from smartbreed.dataset.decision_source import DecisionSource
from smartbreed.dataset.tables import Erasure, ParkedRow, PublishingState, Shard, ShardRow
from smartbreed.feedback.tables import Flag

_MOST = 20


@dataclass(frozen=True)
class PublishingStatus:
    """Counts of flags by publishing state, and problems that a maintainer should know of.

    Attributes:
        target: Hub and repo, such as ``embedded smartbreed/flags``.
        waiting: flags saved here and not in the dataset yet: `pending` and `sealed` together.
        pending: flags in no shard yet, parked ones included.
        sealed: flags in a shard that the Hub does not have yet.
        parked: flags of `pending` that cannot be published now; `problems` says why.
        published: flags in the dataset.
        to_remove: number of withdrawn or erased flags still in the dataset, or of old contents still in
            its history, whichever is larger.
        decisions: review decisions not in the dataset yet.
        problem: the last error; None if there is none.
        problem_at: when it occurred.
        refused: True if a person must act before the next automatic attempt.
        attempts: number of failed attempts in a row.
        next_attempt_at: earliest time of the next automatic attempt after a failure; None if it is due.
        success_at: when an attempt succeeded last; None if none has.
        problems: sentences about single flags and shards.
        foreign: what is wrong with foreign or changed files of the repo, by path.
    """

    target: str
    waiting: int = 0
    pending: int = 0
    sealed: int = 0
    parked: int = 0
    published: int = 0
    to_remove: int = 0
    decisions: int = 0
    problem: str | None = None
    problem_at: dt.datetime | None = None
    refused: bool = False
    attempts: int = 0
    next_attempt_at: dt.datetime | None = None
    success_at: dt.datetime | None = None
    problems: list[str] = field(default_factory=list)
    foreign: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the status as plain JSON values."""
        return {
            name: value.isoformat() if isinstance(value, dt.datetime) else value
            for name, value in asdict(self).items()
        }


def publishing_status(sessions: Sessions, target: str, disk: str) -> PublishingStatus:
    """Read the status from the database, without asking the Hub.

    Args:
        sessions: sessions of a migrated database.
        target: Hub and repo, spelt as in `smartbreed.dataset.publisher.Publisher.target`.
        disk: mark of this disk; empty if it has none.

    Raises:
        StorageError: the database refused.
    """
    with read(sessions) as session:
        states: dict[str, int] = {
            row.state: row.number
            for row in session.execute(
                sa.select(Flag.state, sa.func.count().label("number")).group_by(Flag.state)
            )
        }
        sealed = sa.select(Shard).where(Shard.config == "flags", Shard.state != "published")
        in_shards = sum(shard.rows for shard in session.scalars(sealed))
        parked = session.scalars(sa.select(ParkedRow).order_by(ParkedRow.parked_at.desc())).all()
        leaving = (
            sa.select(sa.func.count())
            .select_from(ShardRow)
            .where(
                ShardRow.config == "flags",
                ~sa.exists().where(Flag.id == ShardRow.row_id, Flag.state != "withdrawn"),
            )
        )
        erasing = sa.select(sa.func.count()).select_from(Erasure).where(Erasure.done_at.is_(None))
        state = session.get(PublishingState, disk)  # that of an empty mark says why no mark could be made
        problems = [f"{row.config} {row.row_id}: {row.reason}" for row in parked[:_MOST]]
        refused = session.scalars(sa.select(Shard).where(Shard.state == "parked").limit(_MOST))
        problems += [f"{shard.path} ({shard.rows} rows): {shard.problem}" for shard in refused]
        problems += _elsewhere(list(session.scalars(sa.select(Shard).where(Shard.state == "sealed"))), disk)
        problems += _stranded(session, leaving, target)
        waiting = states.get("pending", 0)
        in_shards = min(in_shards, waiting)
        return PublishingStatus(
            target=target,
            waiting=waiting,
            pending=waiting - in_shards,
            sealed=in_shards,
            parked=sum(row.config == "flags" for row in parked),
            published=states.get("published", 0),
            to_remove=max(session.scalar(leaving) or 0, session.scalar(erasing) or 0),
            decisions=DecisionSource().count_waiting(session),
            problem=state.problem if state else None,
            problem_at=state.problem_at if state else None,
            refused=bool(state and state.refused),
            attempts=state.attempts if state else 0,
            next_attempt_at=state.next_attempt_at if state else None,
            success_at=state.success_at if state else None,
            problems=problems,
            foreign=json.loads(state.foreign or "{}") if state else {},
        )


def _stranded(session: Session, leaving: sa.Select[Any], target: str) -> list[str]:
    """Return a sentence for each repo, no longer in the settings, that still has rows to be removed."""
    query = (
        leaving.join(Shard, Shard.id == ShardRow.shard_id)
        .where(Shard.target != target)
        .add_columns(Shard.target)
        .group_by(Shard.target)
    )
    return [
        f"{number} withdrawn rows are still in {where}, which is not the dataset of these settings; "
        "'smartbreed flags publish' with that Hub and dataset takes them out."
        for number, where in session.execute(query)
    ]


def _elsewhere(sealed: list[Shard], disk: str) -> list[str]:
    others = [shard for shard in sealed if disk and shard.disk != disk]
    if not others:
        return []
    rows = sum(shard.rows for shard in others)
    return [
        f"{rows} rows were sealed on another disk and are not published from there yet; "
        "'smartbreed flags publish' takes over those whose photos are here."
    ]
