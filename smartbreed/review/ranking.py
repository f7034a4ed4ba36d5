"""Stored ranks of all flags, so that the head of the queue can be read without the rest.

A row of `Rank` holds all that a flag's place depends on, except the rarity of its breed among accepted
photos, which changes for thousands of flags with each decision. So flags are sorted within each breed, and
the heads of these lists are merged when they are read. Triggers of the database record which flags have
changed (`Unranked`); `catch_up` ranks these again, together with all flags of the same photos.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import batches
from smartbreed.feedback.tables import Flag
from smartbreed.review.claims import label_of
from smartbreed.review.decisions import latest_decisions, outcome
from smartbreed.review.evidence import (
    Known,
    flags_of,
    know,
    rarity_of,
    signals_of,
)
from smartbreed.review.ordering import PLACES, WEIGHTS, own_points, rarity_points
from smartbreed.review.tables import AcceptedCount, Rank, RankCount, RankRule, Unranked
from smartbreed.review.trust import on_day, over_cap_on, own_day, standings

#: Changed flags that are ranked in one transaction.
BATCH = 256
#: Raise it when ranks are computed in another way, so that all are computed again.
_VERSION = 1
#: Rows first read from each list.
_HEAD = 8
#: The first rows of a list.
_HEAD_OF = (
    sa.select(Rank.rank, Rank.flagged_at, Rank.flag_id)
    .where(*(getattr(Rank, name) == sa.bindparam(name) for name in ("state", "verdict", "label", "place")))
    .order_by(Rank.rank, Rank.flagged_at, Rank.flag_id)
    .limit(sa.bindparam("size", type_=sa.Integer()))
)
#: Pairs of a flagger and a UTC day.
_Days = set[tuple[str, dt.date]]
#: Above this number of pairs, people whose flags are within the cap altogether are dropped first.
_DAYS = 32
_ON_DAY = sa.select(Rank.flag_id, Rank.beyond).where(*own_day(Rank.flagger, Rank.flagged_at))


class _Key(NamedTuple):
    """Sort key of a flag, the same as that of `smartbreed.review.ordering.order`."""

    place: int
    rank: int
    flagged_at: dt.datetime
    flag_id: str


@dataclass
class _List:
    """A sorted list of flags with the same state, verdict, label and place."""

    state: str
    verdict: str
    label: str
    place: int
    number: int
    keys: Sequence[_Key] = ()


def waiting(session: Session, cap: int, most: int) -> int:
    """Return how many flags wait to be ranked (all if the rule has changed), up to ``most`` + 1."""
    if session.scalar(sa.select(RankRule.rule)) == _rule(cap):
        return _count(session, Unranked.flag_id, most)
    return min(_count(session, Unranked.flag_id, most) + _count(session, Rank.flag_id, most), most + 1)


def _count(session: Session, column: Any, most: int) -> int:
    some = sa.select(column).limit(most + 1).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _rule(cap: int) -> str:
    return f"{_VERSION} {cap} {' '.join(f'{name} {weight}' for name, weight in WEIGHTS.items())}"


def catch_up(session: Session, cap: int) -> bool:
    """Rank up to `BATCH` changed flags again; the caller holds the write lock.

    Args:
        cap: flags of one person per UTC day that count towards agreement.

    Returns:
        False if more are waiting.
    """
    rule = session.scalar(sa.select(RankRule.rule))
    if rule != _rule(cap):  # another cap, or another version of the app
        session.execute(sa.delete(RankRule))
        session.add(RankRule(rule=_rule(cap)))
        _mark(session, sa.select(Rank.flag_id))
    ids = set(session.scalars(sa.select(Unranked.flag_id).limit(BATCH)))
    samples = session.scalars(sa.select(Flag.sample_id).where(Flag.id.in_(ids))).all()
    _rank(session, flags_of(session, samples), ids, cap)
    session.execute(sa.delete(Unranked).where(Unranked.flag_id.in_(ids)))
    return session.scalar(sa.select(Unranked.flag_id).limit(1)) is None


def _rank(session: Session, flags: Sequence[Flag], changed: set[str], cap: int) -> None:
    """Write the ranks of all flags of some photos, and mark other flags whose ranks change with them."""
    ids = [flag.id for flag in flags]
    rows: dict[str, Rank] = {}
    for some in batches(ids):
        rows |= {row.flag_id: row for row in session.scalars(sa.select(Rank).where(Rank.flag_id.in_(some)))}
    # Only days of changed or new flags: people have flagged a popular photo on many days.
    days = {(f.flagger, f.flagged_at.date()) for f in flags if f.id in changed or f.id not in rows}
    busy = _busy(session, days, cap)
    counted = over_cap_on(session, cap, busy)
    beyond = counted | {
        flag.id for flag in flags
        if flag.id in rows and rows[flag.id].beyond and (flag.flagger, flag.flagged_at.date()) not in days
    }  # fmt: skip
    standing = [flag for flag in flags if flag.state != "withdrawn"]
    latest = latest_decisions(session, ids)
    known = know(session, standing, latest, Counter(), beyond, signals_of(session, ids))
    for flag in standing:
        values = _values(flag, known)
        row = rows.pop(flag.id, None)
        if row is None:
            session.add(Rank(flag_id=flag.id, **values))
            continue
        for name, value in values.items():
            if getattr(row, name) != value:
                setattr(row, name, value)
    for row in rows.values():  # withdrawn
        session.delete(row)
    session.flush()
    _mark_moved(session, days, busy, counted)


def _values(flag: Flag, known: Known) -> dict[str, Any]:
    evidence, decision = known.evidence(flag), known.latest.get(flag.id)
    return {
        "state": outcome(decision), "verdict": flag.verdict, "label": label_of(flag) or "",
        "place": PLACES[evidence.held], "rank": -own_points(evidence), "flagged_at": flag.flagged_at,
        "flagger": flag.flagger, "beyond": flag.id in known.beyond, "seen": flag.id in known.signals,
        "predicted": flag.predicted, "decided": decision.label if decision else None,
    }  # fmt: skip


def _busy(session: Session, days: _Days, cap: int) -> _Days:
    """Return those of these days on which a person may be beyond the cap."""
    if len(days) <= _DAYS:  # counting all flags of a few people may take longer
        return days
    people: set[str] = set()
    for some in batches(person for person, _ in days):
        query = sa.select(Flag.flagger).where(Flag.flagger.in_(some)).group_by(Flag.flagger)
        people.update(session.scalars(query.having(sa.func.count() > cap)))
    return {(person, day) for person, day in days if person in people}


def _mark_moved(session: Session, days: _Days, busy: _Days, beyond: set[str]) -> None:
    """Mark flags whose flagger's trust, or whose side of the daily cap, has changed since they were ranked.

    Args:
        days: ``(flagger, UTC day)`` that were examined.
        busy: those of the days on which some flags may be ``beyond`` the cap.
    """
    people = {person for person, _ in days}
    low = {person for person, record in standings(session, people).items() if record.level == "low"}
    last = PLACES["trust"]
    for some in batches(low):
        _mark(session, sa.select(Rank.flag_id).where(Rank.flagger.in_(some), Rank.place < last))
    for some in batches(people - low):
        _mark(session, sa.select(Rank.flag_id).where(Rank.flagger.in_(some), Rank.place == last))
    for some in batches(people - {person for person, _ in busy}):
        _mark(session, sa.select(Rank.flag_id).where(Rank.flagger.in_(some), Rank.beyond))
    for person, day in busy:
        then = session.execute(_ON_DAY, on_day(person, day))
        moved = [flag_id for flag_id, was in then if was != (flag_id in beyond)]
        for some in batches(moved):
            _mark(session, sa.select(Rank.flag_id).where(Rank.flag_id.in_(some)))


def _mark(session: Session, flag_ids: sa.Select[Any]) -> None:
    known = sa.select(Unranked.flag_id)
    session.execute(sa.insert(Unranked).from_select(["flag_id"], flag_ids.where(Rank.flag_id.not_in(known))))


def accepted_counts(session: Session) -> Counter[str | None]:
    """Return breed id, or None for no breed → number of photos accepted as that breed."""
    return Counter({row.label or None: row.number for row in session.scalars(sa.select(AcceptedCount))})


def beyond_of(session: Session, flag_ids: Iterable[str]) -> set[str]:
    """Return those of these flags that are beyond their flagger's daily cap."""
    found: set[str] = set()
    for some in batches(flag_ids):
        found.update(session.scalars(sa.select(Rank.flag_id).where(Rank.flag_id.in_(some), Rank.beyond)))
    return found


@dataclass(frozen=True)
class Which:
    """Which flags to read; an empty value does not filter, except ``states``.

    Attributes:
        states: states of flags, of `smartbreed.review.decisions.OUTCOMES`.
        verdict: what the person said.
        breed: breed id that the person, the model or a decision named.
        flagger: beginning of a flagger's hash, in lower case.
    """

    states: tuple[str, ...]
    verdict: str = ""
    breed: str = ""
    flagger: str = ""


def first(session: Session, which: Which, limit: int) -> tuple[list[str], int]:
    """Return the ids of the most useful of these flags, at most ``limit``, in order; and how many there are.

    It reads a few rows of each breed, or all flags of a breed or person if the filter names one.
    """
    accepted = accepted_counts(session)
    if which.breed or which.flagger:
        keys = _of_few(session, which, accepted)
        return [key.flag_id for key in heapq.nsmallest(limit, keys)], len(keys)
    lists = _lists(session, which)
    found: list[_Key] = []
    for place in sorted(PLACES.values()):
        some = [one for one in lists if one.place == place]
        found += _heads(session, some, accepted, limit - len(found))
    return [key.flag_id for key in found], sum(one.number for one in lists)


def _lists(session: Session, which: Which) -> list[_List]:
    names = (RankCount.state, RankCount.verdict, RankCount.label, RankCount.place)
    query = sa.select(*names, sa.func.sum(RankCount.number)).where(RankCount.state.in_(which.states))
    if which.verdict:
        query = query.where(RankCount.verdict == which.verdict)
    return [_List(*row) for row in session.execute(query.group_by(*names))]


def _heads(session: Session, lists: Sequence[_List], accepted: Counter[str | None], limit: int) -> list[_Key]:
    """Merge the heads of several lists; read more only of a list that may still contribute."""
    if limit <= 0:
        return []
    more, size = list(lists), min(_HEAD, limit)
    found: list[_Key] = []
    while more:
        for one in more:
            one.keys = _head(session, one, size, accepted)
        found = heapq.nsmallest(limit, (key for one in lists for key in one.keys))
        more = [
            one for one in lists
            if size < limit and one.number > len(one.keys) == size
            and (len(found) < limit or one.keys[-1] <= found[-1])
        ]  # fmt: skip
        size = min(4 * size, limit)
    return found


def _head(session: Session, one: _List, size: int, accepted: Counter[str | None]) -> list[_Key]:
    added = rarity_points(rarity_of(one.label, accepted))
    which = {"state": one.state, "verdict": one.verdict, "label": one.label, "place": one.place}
    rows = session.execute(_HEAD_OF, {**which, "size": size})
    return [_Key(one.place, rank - added, moment, flag_id) for rank, moment, flag_id in rows]


def _of_few(session: Session, which: Which, accepted: Counter[str | None]) -> list[_Key]:
    """Return the keys of all flags of a breed or of a person."""
    narrowed: list[sa.ColumnElement[bool]] = [Rank.state.in_(which.states)]
    if which.verdict:
        narrowed.append(Rank.verdict == which.verdict)
    if which.flagger:  # hex digits: every hash that begins with it sorts before it + "g"
        narrowed += [Rank.flagger >= which.flagger, Rank.flagger < f"{which.flagger}g"]
    named = (Rank.label, Rank.predicted, Rank.decided) if which.breed else ()
    queries = [[*narrowed, column == which.breed] for column in named] or [narrowed]
    columns = (Rank.place, Rank.rank, Rank.flagged_at, Rank.flag_id, Rank.label)
    points: dict[str, int] = {}
    found: dict[str, _Key] = {}
    for conditions in queries:
        for place, rank, moment, flag_id, label in session.execute(sa.select(*columns).where(*conditions)):
            if label not in points:
                points[label] = rarity_points(rarity_of(label, accepted))
            found[flag_id] = _Key(place, rank - points[label], moment, flag_id)
    return list(found.values())
