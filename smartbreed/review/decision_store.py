"""The rows of decisions: which one of a flag counts, and adding more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.feedback.tables import Flag
from smartbreed.review.decisions import NewBreed, NewDecision
from smartbreed.review.tables import Decision

#: Ids in one query; SQLite takes 32,766 variables.
_BATCH = 500
#: What a flag's latest decision makes of it.
OUTCOMES = {
    "accept": "accepted",
    "relabel": "relabelled",
    "reject": "rejected",
    "new_breed": "new breed",
    "undo": "open",
}


def newest() -> sa.Subquery:
    """Id of each decided flag, and the moment of its latest decision."""
    query = sa.select(Decision.flag_id, sa.func.max(Decision.decided_at).label("moment"))
    return query.group_by(Decision.flag_id).subquery()


def latest_decisions(session: Session, flag_ids: Sequence[str] | None = None) -> dict[str, Decision]:
    """The decision that counts of each flag that has one, ``undo`` included.

    Args:
        flag_ids: only of these; None: of all.
    """
    last = newest()
    query = sa.select(Decision).join(
        last, sa.and_(Decision.flag_id == last.c.flag_id, Decision.decided_at == last.c.moment)
    )
    if flag_ids is None:
        return {row.flag_id: row for row in session.scalars(query)}
    found: dict[str, Decision] = {}
    for start in range(0, len(flag_ids), _BATCH):
        some = flag_ids[start : start + _BATCH]
        found |= {row.flag_id: row for row in session.scalars(query.where(Decision.flag_id.in_(some)))}
    return found


def introduced(session: Session) -> dict[str, NewBreed]:
    """Breeds that decisions introduced and nobody took back, by id."""
    last = newest()
    rows = session.scalars(
        sa.select(Decision)
        .join(last, sa.and_(Decision.flag_id == last.c.flag_id, Decision.decided_at == last.c.moment))
        .where(Decision.decision == "new_breed")
        .order_by(Decision.decided_at, Decision.decision_id)
    )
    return {
        row.label: NewBreed(row.label, row.name or "", row.species or "", row.group or "")
        for row in rows
        if row.label
    }


def outcome(decision: Decision | None) -> str:
    """``open``, ``accepted``, ``relabelled``, ``rejected`` or ``new breed``."""
    return "open" if decision is None else OUTCOMES[decision.decision]


def history(session: Session, flag_id: str) -> list[Decision]:
    """Everything decided about a flag, oldest first."""
    return list(
        session.scalars(sa.select(Decision).where(Decision.flag_id == flag_id).order_by(Decision.decided_at))
    )


def flags_by_id(session: Session, flag_ids: Iterable[str]) -> dict[str, Flag]:
    """The flags of these ids that exist."""
    ids = [flag_id for flag_id in flag_ids if flag_id.isascii() and flag_id.isalnum()]
    found: dict[str, Flag] = {}
    for start in range(0, len(ids), _BATCH):
        rows = session.scalars(sa.select(Flag).where(Flag.id.in_(ids[start : start + _BATCH])))
        found |= {flag.id: flag for flag in rows}
    return found


def append(
    session: Session,
    flag: Flag,
    new_decision: NewDecision,
    reviewer: str,
    last: Decision | None,
    now: dt.datetime,
) -> Decision:
    """One more decision on a flag, later than its last one even when the clock went back."""
    if last is not None and now <= last.decided_at:
        now = last.decided_at + dt.timedelta(microseconds=1)
    x0, y0, x1, y1 = new_decision.box or (None, None, None, None)
    row = Decision(
        flag_id=flag.id,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        sample_id=flag.sample_id,
        decision=new_decision.decision,
        label=new_decision.label,
        name=new_decision.name,
        species=new_decision.species,
        group=new_decision.group,
        reviewer=reviewer,
        reason=new_decision.reason,
        decided_at=now,
        state="pending",
    )
    session.add(row)
    return row
