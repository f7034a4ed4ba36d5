"""The row source for the decisions of reviewers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import UtcDateTime, batches
from smartbreed.dataset.schema import KEYS
from smartbreed.dataset.sources import Row, unclaimed
from smartbreed.dataset.tables import ShardRow
from smartbreed.feedback.tables import ERASED

_CORNERS = ("x0", "y0", "x1", "y1")
#: The review's table, which may not exist; only the columns that publishing relies on.
_decisions = sa.table(
    "decisions",
    *(
        sa.column(name, sa.String)
        for name in (
            "decision_id", "flag_id", "sample_id", "decision", "label", "name", "species", "group",
            "reviewer", "reason", "state",
        )
    ),
    *(sa.column(name, sa.Double) for name in _CORNERS),
    sa.column("decided_at", UtcDateTime),
    sa.column("published_at", UtcDateTime),
)  # fmt: skip


class DecisionSource:
    """Source of reviewers' decisions; empty if the table ``decisions`` does not exist.

    Args:
        which: ``off`` publishes none; any other value publishes all.
    """

    config = "reviews"

    def __init__(self, which: str = "all") -> None:
        self._off = which == "off"

    def waiting(self, session: Session, limit: int) -> list[str]:
        if self._off or not _has_decisions(session):
            return []
        columns = _decisions.c
        query = (
            sa.select(columns.decision_id)
            .where(columns.state == "pending", columns.sample_id != ERASED)
            .where(unclaimed(self.config, columns.decision_id))
            .order_by(columns.decision_id)
            .limit(limit)
        )
        return list(session.scalars(query))

    def count_waiting(self, session: Session) -> int:
        if self._off or not _has_decisions(session):
            return 0
        columns = _decisions.c
        query = (
            sa.select(sa.func.count())
            .select_from(_decisions)
            .where(columns.state == "pending", columns.sample_id != ERASED)
        )
        return session.scalar(query.where(unclaimed(self.config, columns.decision_id))) or 0

    def row(self, session: Session, row_id: str) -> Row | None:
        found = (
            session.execute(sa.select(_decisions).where(_decisions.c[KEYS[self.config]] == row_id))
            .mappings()
            .first()
        )
        if found is None or found["state"] != "pending" or found["sample_id"] == ERASED:
            return None
        row = {
            name: value for name, value in found.items() if name not in ("state", "published_at", *_CORNERS)
        }
        return {**row, "box": [found[name] for name in _CORNERS] if found["x0"] is not None else []}

    def still_waiting(self, session: Session, ids: Sequence[str]) -> set[str]:
        columns = _decisions.c
        query = sa.select(columns.decision_id).where(
            columns.decision_id.in_(ids), columns.state == "pending", columns.sample_id != ERASED
        )
        return set(session.scalars(query))

    def usable(self, row_id: str, session: Session) -> bool:
        return True

    def mark_published(self, session: Session, ids: Sequence[str], moment: dt.datetime) -> None:
        self._mark(session, ids, "published", moment)

    def mark_waiting(self, session: Session, ids: Sequence[str]) -> None:
        self._mark(session, ids, "pending", None)

    def said_again(self, session: Session) -> list[str]:
        return []

    def to_remove(self, session: Session) -> list[str]:
        """Return published decisions about erased flags; any other is taken back by a decision "undo"."""
        if not _has_decisions(session):
            return []
        columns = _decisions.c
        query = (
            sa.select(ShardRow.row_id)
            .join(_decisions, columns.decision_id == ShardRow.row_id)
            .where(ShardRow.config == self.config, columns.sample_id == ERASED)
        )
        return list(session.scalars(query))

    @staticmethod
    def _mark(session: Session, ids: Sequence[str], state: str, moment: dt.datetime | None) -> None:
        for some in batches(ids):
            session.execute(
                sa.update(_decisions)
                .where(_decisions.c.decision_id.in_(some))
                .values(state=state, published_at=moment)
            )


def is_accepted(flag_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the SQL condition that the latest decision on a flag accepts it."""
    later = _decisions.alias()
    return sa.exists().where(
        _decisions.c.flag_id == flag_id,
        _decisions.c.decision.in_(("accept", "relabel", "new_breed")),
        ~sa.exists().where(
            later.c.flag_id == _decisions.c.flag_id, later.c.decided_at > _decisions.c.decided_at
        ),
    )


def _has_decisions(session: Session) -> bool:
    # Not cached: it only queries the database's catalogue, and a migration may create the table meanwhile.
    return sa.inspect(session.connection()).has_table("decisions")


def count_decisions(session: Session, flag_id: str) -> int:
    """Return the number of decisions on a flag."""
    if not _has_decisions(session):
        return 0
    query = sa.select(sa.func.count()).select_from(_decisions).where(_decisions.c.flag_id == flag_id)
    return session.scalar(query) or 0
