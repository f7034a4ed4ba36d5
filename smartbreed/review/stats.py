"""Where the review stands, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.feedback.tables import Flag
from smartbreed.review.decisions import latest_decisions, outcome
from smartbreed.review.tables import AGREEMENT, GOLD, Gold, RankCount, Signals, Trust
from smartbreed.review.trust import Standing, over_cap


@dataclass(frozen=True)
class Progress:
    """How much is done.

    Attributes:
        states: state of a flag → how many; withdrawn flags are left out.
        unseen: open flags the model has not looked at yet.
    """

    states: Mapping[str, int]
    unseen: int

    @property
    def decided(self) -> int:
        """Flags that are not open."""
        return sum(count for state, count in self.states.items() if state != "open")

    @property
    def open(self) -> int:
        """Flags that wait for a decision."""
        return self.states.get("open", 0)


@dataclass(frozen=True)
class Stats(Progress):
    """Where the review stands.

    Attributes:
        by_reviewer: ``maintainers``, ``agreement`` or ``gold`` → decisions that count.
        held: ``cap`` or ``trust`` → open flags that do not count by themselves.
        flaggers: level of trust → flaggers with a record.
        gold: pets whose answer is known.
    """

    by_reviewer: Mapping[str, int]
    held: Mapping[str, int]
    flaggers: Mapping[str, int]
    gold: int


def progress(session: Session) -> Progress:
    """How much is done, from the numbers that are kept (see `smartbreed.review.ranking`)."""
    number = sa.func.sum(RankCount.number)
    states: Counter[str] = Counter()
    unseen = 0
    columns = (RankCount.state, RankCount.seen)
    for state, seen, flags in session.execute(sa.select(*columns, number).group_by(*columns)):
        states[state] += flags
        unseen += flags if state == "open" and not seen else 0
    return Progress(dict(states), unseen)


def count(session: Session, cap: int) -> Stats:
    """Count everything now, by looking at every flag and decision.

    Args:
        cap: flags of one person a UTC day that count by themselves.
    """
    latest = latest_decisions(session)
    flags = session.execute(sa.select(Flag.id, Flag.flagger).where(Flag.state != "withdrawn")).all()
    waiting = [(flag, person) for flag, person in flags if outcome(latest.get(flag)) == "open"]
    records = {row.flagger: Standing(row.right, row.wrong) for row in session.scalars(sa.select(Trust))}
    low = {flagger for flagger, record in records.items() if record.level == "low"}
    beyond = over_cap(session, cap)
    seen = set(session.scalars(sa.select(Signals.flag_id)))
    reviewers = Counter(
        row.reviewer if row.reviewer in (AGREEMENT, GOLD) else "maintainers"
        for row in latest.values()
        if row.decision != "undo"
    )
    return Stats(
        states=dict(Counter(outcome(latest.get(flag)) for flag, _ in flags)),
        by_reviewer=dict(reviewers),
        held={
            "trust": sum(person in low for _, person in waiting),
            "cap": sum(flag in beyond and person not in low for flag, person in waiting),
        },
        flaggers=dict(Counter(record.level for record in records.values())),
        gold=session.scalar(sa.select(sa.func.count()).select_from(Gold)) or 0,
        unseen=sum(flag not in seen for flag, _ in waiting),
    )
