"""The state of the review in numbers."""

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
    """How much of the review is done.

    Attributes:
        states: state → number of flags; withdrawn flags are left out.
        unseen: number of open flags without the model's signals.
    """

    states: Mapping[str, int]
    unseen: int

    @property
    def decided(self) -> int:
        """Number of flags with a decision."""
        return sum(count for state, count in self.states.items() if state != "open")

    @property
    def open(self) -> int:
        """Number of flags that wait for a decision."""
        return self.states.get("open", 0)


@dataclass(frozen=True)
class Stats(Progress):
    """The full state of the review.

    Attributes:
        by_reviewer: ``maintainers``, ``agreement`` or ``gold`` → number of decisions in force.
        held: ``cap`` or ``trust`` → number of open flags that do not count towards agreement for this reason.
        flaggers: level of trust → number of flaggers with a record.
        gold: number of pets with a known answer.
    """

    by_reviewer: Mapping[str, int]
    held: Mapping[str, int]
    flaggers: Mapping[str, int]
    gold: int


def progress(session: Session) -> Progress:
    """Read the progress from the stored counts (see `smartbreed.review.ranking`)."""
    number = sa.func.sum(RankCount.number)
    states: Counter[str] = Counter()
    unseen = 0
    columns = (RankCount.state, RankCount.seen)
    for state, seen, flags in session.execute(sa.select(*columns, number).group_by(*columns)):
        states[state] += flags
        unseen += flags if state == "open" and not seen else 0
    return Progress(dict(states), unseen)


def count(session: Session, cap: int) -> Stats:
    """Count everything anew, by reading every flag and decision.

    Args:
        cap: flags of one person per UTC day that count towards agreement.
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
