"""The review queue: flags with all that a maintainer needs to decide them, most useful first."""

from __future__ import annotations

import json
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.breeds.catalogue import resolve
from smartbreed.core.database import batches
from smartbreed.core.errors import ReviewError
from smartbreed.feedback.tables import VERDICTS, Flag
from smartbreed.i18n import gettext
from smartbreed.review.claims import NO_PET, label_of
from smartbreed.review.decisions import (
    ACCEPTING,
    breed_name,
    flags_by_id,
    latest_decisions,
    outcome,
)
from smartbreed.review.evidence import Known, flags_of, know, signals_of
from smartbreed.review.near_duplicates import Picture, near_duplicates
from smartbreed.review.ordering import order, reasons, usefulness
from smartbreed.review.ranking import Which, accepted_counts, beyond_of, first
from smartbreed.review.scores import unpack
from smartbreed.review.tables import Decision, Signals
from smartbreed.review.trust import Standing, over_cap

#: States of a flag by which the queue can be filtered.
STATES = ("open", "accepted", "relabelled", "rejected", "new breed", "decided", "all")


@dataclass(frozen=True)
class Filters:
    """Which flags to list; an empty value does not filter.

    Attributes:
        state: one of `STATES`.
        verdict: one of `smartbreed.feedback.tables.VERDICTS`.
        breed: id, name or alias of a breed that the person, the model or a decision named.
        flagger: beginning of a flagger's hash, at least 4 hex digits.
    """

    state: str = "open"
    verdict: str = ""
    breed: str = ""
    flagger: str = ""


@dataclass(frozen=True)
class Item:
    """One flag as a maintainer sees it.

    Attributes:
        flag: the row itself.
        state: ``open`` or what was decided.
        decision: the latest one; None if there is none.
        label: breed id in force: the decision's if there is one, else the person's.
        label_name: display name of the breed that the person gave.
        top: the current model's likeliest breeds; until it has scored the flag, the original prediction.
        usefulness: 0…1.
        why: sentences, the most important first.
        held: ``""``, ``cap`` or ``trust``: why the flag does not count towards agreement.
        group: ids of its near-duplicates among the listed flags, itself included.
        standing: the flagger's record.
    """

    flag: Flag = field(repr=False)
    state: str
    decision: Decision | None = field(repr=False)
    label: str | None
    label_name: str
    top: tuple[tuple[str, float], ...]
    usefulness: float
    why: tuple[str, ...]
    held: str
    group: tuple[str, ...]
    standing: Standing

    @property
    def id(self) -> str:
        return self.flag.id


def check(session: Session, filters: Filters, names: Mapping[str, str]) -> str:
    """Check the filters; return the breed id to filter by, or ``""``.

    A custom model may name breeds that the catalogue lacks; they pass if a flag has them.

    Raises:
        ReviewError: a filter is not valid.
    """
    if filters.state not in STATES:
        raise ReviewError(
            "unknown_state", f"A state is one of {', '.join(STATES)}. Received: {filters.state!r:.50}"
        )
    if filters.verdict and filters.verdict not in VERDICTS:
        raise ReviewError(
            "unknown_verdict", f"A verdict is one of {', '.join(VERDICTS)}. Received: {filters.verdict!r:.50}"
        )
    if filters.flagger and not (len(filters.flagger) >= 4 and set(filters.flagger) <= set(string.hexdigits)):
        raise ReviewError(
            "unknown_flagger",
            f"A flagger is the first 4 or more digits of their hash. Received: {filters.flagger!r:.70}",
        )
    if not filters.breed:
        return ""
    breed = resolve(filters.breed)
    if breed is None and filters.breed not in names and not _is_named(session, filters.breed):
        raise ReviewError("unknown_breed", f"No breed of that name. Received: {filters.breed!r:.90}")
    return breed.id if breed else filters.breed


def _is_named(session: Session, breed: str) -> bool:
    """Return whether any flag has this breed as its label or prediction."""
    named = sa.or_(Flag.label == breed, Flag.predicted == breed)
    return session.scalar(sa.select(sa.literal(1)).where(named).limit(1)) is not None


def build(session: Session, filters: Filters, names: Mapping[str, str], cap: int) -> list[Item]:
    """Return the flags that pass the filters, most useful first, by reading all flags.

    Args:
        names: names by id, of breeds that the catalogue lacks or the model calls differently.
        cap: flags of one person per UTC day that count towards agreement.

    Raises:
        ReviewError: a filter is not valid.
    """
    found, known = _ordered(session, filters, names, cap)
    return _items(session, found, known, names, cap)


def head(
    session: Session, filters: Filters, names: Mapping[str, str], cap: int, limit: int, *, ranked: bool
) -> tuple[list[Item], int]:
    """Return the first items of `build`, and how many flags pass the filters.

    Near-duplicates are searched only among the returned flags.

    Args:
        limit: maximum number of flags.
        ranked: whether the stored ranks are up to date (see `smartbreed.review.ranking`), so that the other
            flags need not be read.

    Raises:
        ReviewError: a filter is not valid.
    """
    if not ranked:
        found, known = _ordered(session, filters, names, cap)
        return _items(session, found[:limit], known, names, cap), len(found)
    breed = check(session, filters, names)
    which = Which(_states(filters.state), filters.verdict, breed, filters.flagger.lower())
    ids, number = first(session, which, limit)
    flags = flags_by_id(session, ids)
    listed = [flags[flag_id] for flag_id in ids if flag_id in flags]
    known = _known_of(session, listed)
    return _items(session, listed, known, names, cap), number


def single(session: Session, flag: Flag, names: Mapping[str, str], cap: int, *, ranked: bool) -> Item:
    """Return one flag with everything about it; for ``ranked`` see `head`."""
    known = _known_of(session, [flag]) if ranked else _known_of_all(session, [flag], cap)
    return _items(session, [flag], known, names, cap)[0]


def _ordered(
    session: Session, filters: Filters, names: Mapping[str, str], cap: int
) -> tuple[list[Flag], Known]:
    breed = check(session, filters, names)
    query = sa.select(Flag).where(Flag.state != "withdrawn")
    if filters.verdict:
        query = query.where(Flag.verdict == filters.verdict)
    if filters.flagger:
        query = query.where(Flag.flagger.startswith(filters.flagger.lower(), autoescape=True))
    latest, states = latest_decisions(session), _states(filters.state)
    flags = [
        flag for flag in session.scalars(query)
        if outcome(latest.get(flag.id)) in states
        and (not breed or breed in _breeds_of(flag, latest.get(flag.id)))
    ]  # fmt: skip
    known = _known_of_all(session, flags, cap, latest)
    return sorted(flags, key=lambda flag: order(known.evidence(flag))), known


def _known_of_all(
    session: Session, flags: Sequence[Flag], cap: int, latest: Mapping[str, Decision] | None = None
) -> Known:
    """Look up what is known about some flags, by reading all flags."""
    latest = latest_decisions(session) if latest is None else latest
    samples, said = {flag.sample_id for flag in flags}, []
    accepted: Counter[str | None] = Counter()
    for flag in session.scalars(sa.select(Flag).where(Flag.state != "withdrawn")) if samples else ():
        if flag.sample_id in samples:
            said.append(flag)
        row = latest.get(flag.id)
        if row is not None and row.decision in ACCEPTING:
            accepted[row.label] += 1
    signals = signals_of(session, [flag.id for flag in flags])
    return know(session, said, latest, accepted, over_cap(session, cap), signals)


def _known_of(session: Session, flags: Sequence[Flag]) -> Known:
    """Look up the same from stored ranks and counts, by reading only the flags of the same photos."""
    said = [
        flag for flag in flags_of(session, (flag.sample_id for flag in flags)) if flag.state != "withdrawn"
    ]
    ids = [flag.id for flag in flags]
    return know(
        session, said, latest_decisions(session, ids), accepted_counts(session),
        beyond_of(session, (flag.id for flag in said)), signals_of(session, ids),
    )  # fmt: skip


def _items(
    session: Session, flags: Sequence[Flag], known: Known, names: Mapping[str, str], cap: int
) -> list[Item]:
    groups = _groups(session, flags)
    return [_item(flag, groups[flag.id], known, names, cap) for flag in flags]


def _item(flag: Flag, group: tuple[str, ...], known: Known, names: Mapping[str, str], cap: int) -> Item:
    evidence = known.evidence(flag)
    found, row = known.signals.get(flag.id), known.latest.get(flag.id)
    label = label_of(flag)
    standing = known.records.get(flag.flagger, Standing())
    if found is not None and found.top:
        top = tuple((str(breed), float(p)) for breed, p in json.loads(found.top))
    else:
        top = ((flag.predicted, flag.probability or 0.0),) if flag.predicted else ()
    why = reasons(
        evidence, signals=found, top=top, label=label, answers=known.answers(flag),
        accepted=known.accepted[label], standing=standing, cap=cap,
        name=lambda breed: gettext("not a pet") if breed == NO_PET else breed_name(breed, names),
    )  # fmt: skip
    decided = row.label if row is not None and row.decision != "undo" else label
    return Item(
        flag, outcome(row), row, decided, breed_name(label, names), top, usefulness(evidence), why,
        evidence.held, group, standing,
    )  # fmt: skip


def _groups(session: Session, flags: Sequence[Flag]) -> dict[str, tuple[str, ...]]:
    pictures: dict[str, Picture] = {}
    columns = (Signals.flag_id, Signals.model, Signals.embedding, Signals.phash)
    for some in batches(flag.id for flag in flags):
        for flag_id, model, vector, phash in session.execute(
            sa.select(*columns).where(Signals.flag_id.in_(some))
        ):
            pictures[flag_id] = Picture(flag_id, model, unpack(vector), phash)
    return near_duplicates([pictures.get(flag.id, Picture(flag.id, "")) for flag in flags])


def _states(wanted: str) -> tuple[str, ...]:
    """Return the states of a flag that pass a state filter."""
    every = STATES[: STATES.index("decided")]
    return {"all": every, "decided": every[1:]}.get(wanted, (wanted,))


def _breeds_of(flag: Flag, decision: Decision | None) -> set[str | None]:
    return {flag.label, flag.predicted, decision.label if decision else None}
