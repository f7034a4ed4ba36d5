"""Trust in flaggers: a daily cap, and a record of right and wrong answers.

Flags beyond the cap and flags of distrusted people do not count towards agreement, and come last
in the queue. A record consists of the answers that could be checked: those that a maintainer
decided and those about gold items. Decisions by agreement are left out, or two friends could vouch
for each other. The share of right answers has the posterior Beta(1 + right, 1 + wrong).
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import UtcDateTime, batches
from smartbreed.feedback.tables import Flag
from smartbreed.review.claims import answer_of
from smartbreed.review.decisions import is_latest
from smartbreed.review.tables import AGREEMENT, Decision, Trust

#: Share of right answers that is good enough.
GOOD = 0.7
#: A flagger is distrusted from a probability of ``LOW`` that their share is below `GOOD`, and trusted from
#: a probability of ``HIGH`` that it is above.
LOW, HIGH = 0.9, 0.85
#: Number of checked answers below which no person is distrusted.
_FEWEST = 3

Level = Literal["new", "low", "trusted"]


@dataclass(frozen=True)
class Standing:
    """A flagger's record: how many answers were right and wrong."""

    right: int = 0
    wrong: int = 0

    @property
    def level(self) -> Level:
        """``trusted``, ``low``, or ``new`` while the record does not say yet."""
        below = beta_below(GOOD, 1 + self.right, 1 + self.wrong)
        if self.right + self.wrong >= _FEWEST and below >= LOW:
            return "low"
        return "trusted" if 1.0 - below >= HIGH else "new"


def beta_below(x: float, a: int, b: int) -> float:
    """Return the probability that a Beta(a, b) variable is at most ``x``, for integers a, b ≥ 1, 0 < x < 1.

    It equals a binomial tail, which is computed with logarithms so that large counts do not overflow.
    """
    n = a + b - 1
    logs = (
        math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1)
        + j * math.log(x) + (n - j) * math.log1p(-x)
        for j in range(a, n + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def standings(session: Session, flaggers: Iterable[str]) -> dict[str, Standing]:
    """Return the records of those flaggers who have one."""
    found: dict[str, Standing] = {}
    for some in batches(flaggers):
        rows = session.scalars(sa.select(Trust).where(Trust.flagger.in_(some)))
        found |= {row.flagger: Standing(row.right, row.wrong) for row in rows}
    return found


def refresh(session: Session, flaggers: Iterable[str], now: dt.datetime) -> None:
    """Recompute the records of these flaggers from all decisions about their flags."""
    for some in batches(flaggers):
        decided = session.execute(
            sa.select(Flag, Decision)
            .join(Decision, Decision.flag_id == Flag.id)
            .where(Flag.flagger.in_(some), is_latest())
        )
        counted = Counter((flag.flagger, was_right(flag, decision)) for flag, decision in decided)
        for person in some:
            _write(session, person, counted[person, True], counted[person, False], now)


def _write(session: Session, flagger: str, right: int, wrong: int, now: dt.datetime) -> None:
    row = session.get(Trust, flagger)
    if row is None:
        session.add(Trust(flagger=flagger, right=right, wrong=wrong, updated_at=now))
    elif (row.right, row.wrong) != (right, wrong):
        row.right, row.wrong, row.updated_at = right, wrong, now


def was_right(flag: Flag, decision: Decision) -> bool | None:
    """Return whether a flag turned out right; None if the decision does not say."""
    if decision.reviewer == AGREEMENT or decision.decision == "undo":
        return None
    if decision.decision == "accept":
        return True
    if decision.decision == "new_breed":  # a person who said that it is not in the list was right
        return True if flag.label_text and not flag.label else None if answer_of(flag) is None else False
    if answer_of(flag) is None and not (flag.label_text and decision.decision == "reject"):
        return None  # unsure, a missed pet without a breed, or own words for a breed of the catalogue
    return False


def over_cap_on(session: Session, cap: int, days: Iterable[tuple[str, dt.date]]) -> set[str]:
    """Like `over_cap`, but only for some days of some flaggers.

    Args:
        days: ``(flagger, UTC day)``.
    """
    beyond: set[str] = set()
    for flagger, day in set(days):
        beyond.update(session.scalars(_LATER, {**on_day(flagger, day), "cap": cap}))
    return beyond


def own_day(flagger: Any, moment: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that a row is of one person and UTC day, in a form that can use an index.

    `on_day` gives the values of their parameters.

    Args:
        flagger, moment: columns.
    """
    start, end = (sa.bindparam(name, type_=UtcDateTime()) for name in ("start", "end"))
    return flagger == sa.bindparam("flagger"), moment >= start, moment < end


def on_day(flagger: str, day: dt.date) -> dict[str, Any]:
    """Return the values of the parameters in `own_day`."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return {"flagger": flagger, "start": start, "end": start + dt.timedelta(days=1)}


#: A person's flags of a day beyond the first ``cap``.
_LATER = (
    sa.select(Flag.id)
    .where(*own_day(Flag.flagger, Flag.flagged_at))
    .order_by(Flag.flagged_at, Flag.id)
    .offset(sa.bindparam("cap", type_=sa.Integer()))
)


def over_cap(session: Session, cap: int) -> set[str]:
    """Return the ids of flags beyond each flagger's first ``cap`` of a UTC day, whatever became of those."""
    busy = sa.select(Flag.flagger).group_by(Flag.flagger).having(sa.func.count() > cap)
    rows = session.execute(
        sa.select(Flag.id, Flag.flagger, Flag.flagged_at)
        .where(Flag.flagger.in_(busy))
        .order_by(Flag.flagged_at, Flag.id)
    )
    counted: dict[tuple[str, dt.date], int] = {}
    beyond = set()
    for flag_id, flagger, moment in rows:
        day = (flagger, moment.date())
        counted[day] = counted.get(day, 0) + 1
        if counted[day] > cap:
            beyond.add(flag_id)
    return beyond
