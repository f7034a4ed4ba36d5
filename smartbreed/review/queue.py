"""The queue: flags with all that a maintainer needs to decide them, the most useful ones first."""

from __future__ import annotations

import json
import string
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session, defer

from smartbreed.breeds.catalogue import resolve
from smartbreed.core.errors import ReviewError
from smartbreed.feedback.tables import VERDICTS, Flag
from smartbreed.i18n import gettext
from smartbreed.review.claims import NO_PET, answer_of, label_of, same_pet
from smartbreed.review.decisions import NewBreed, breed_name, latest_decisions, outcome
from smartbreed.review.near_duplicates import Picture, near_duplicates
from smartbreed.review.ordering import Evidence, disagreement, order, rarity, reasons, usefulness
from smartbreed.review.scores import unpack
from smartbreed.review.tables import Decision, Signals
from smartbreed.review.trust import Standing, over_cap, standings

#: What a queue can be narrowed to: a flag's state.
STATES = ("open", "accepted", "relabelled", "rejected", "new breed", "decided", "all")


@dataclass(frozen=True)
class Filters:
    """Which flags to list; empty values narrow nothing.

    Attributes:
        state: one of `STATES`.
        verdict: one of `smartbreed.feedback.tables.VERDICTS`.
        breed: id, name or alias of a breed that the person, the model or a decision named.
        flagger: beginning of a flagger's hash, at least 4 digits.
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
        decision: the latest one.
        label: breed id that counts: the decision's when there is one, else the person's.
        label_name: what people call the person's breed.
        top: the present model's likeliest breeds; what it said when flagged if it has not looked yet.
        usefulness: 0…1.
        why: sentences, the weightiest first.
        held: ``""``, ``cap`` or ``trust``: why the flag does not count by itself.
        group: ids of its near-duplicates among the flags listed, itself included.
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


@dataclass(frozen=True)
class _Known:
    """What is looked up once for all flags of a queue."""

    latest: Mapping[str, Decision]
    signals: Mapping[str, Signals]
    records: Mapping[str, Standing]
    beyond: set[str]
    accepted: Counter[str | None]
    said: Mapping[str, list[Flag]]
    new: Mapping[str, NewBreed]
    cap: int


def check(filters: Filters, new: Mapping[str, NewBreed]) -> str:
    """The breed id that is filtered by, or ``""``.

    Raises:
        ReviewError: a filter makes no sense.
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
    if breed is None and filters.breed not in new:
        raise ReviewError("unknown_breed", f"No breed of that name. Received: {filters.breed!r:.90}")
    return breed.id if breed else filters.breed


def build(
    session: Session, filters: Filters, new: Mapping[str, NewBreed], cap: int, limit: int | None = None
) -> tuple[list[Item], int]:
    """The flags that pass the filters, most useful first, and how many there are.

    Args:
        limit: flags returned at most; near-duplicates are looked for among those.

    Raises:
        ReviewError: a filter makes no sense.
    """
    breed = check(filters, new)
    query = sa.select(Flag).where(Flag.state != "withdrawn")
    if filters.verdict:
        query = query.where(Flag.verdict == filters.verdict)
    if filters.flagger:
        query = query.where(Flag.flagger.startswith(filters.flagger.lower(), autoescape=True))
    latest = latest_decisions(session)
    flags = [
        flag for flag in session.scalars(query)
        if _in_state(filters.state, latest.get(flag.id))
        and (not breed or breed in _breeds_of(flag, latest.get(flag.id)))
    ]  # fmt: skip
    return items(session, flags, latest, new, cap, limit), len(flags)


def items(
    session: Session,
    flags: Sequence[Flag],
    latest: Mapping[str, Decision],
    new: Mapping[str, NewBreed],
    cap: int,
    limit: int | None = None,
) -> list[Item]:
    """These flags with everything about them, most useful first, at most ``limit``."""
    samples = {flag.sample_id for flag in flags}
    candidates = session.scalars(sa.select(Flag).where(Flag.state != "withdrawn")) if samples else ()
    said: dict[str, list[Flag]] = defaultdict(list)
    accepted: Counter[str | None] = Counter()
    for flag in candidates:
        if flag.sample_id in samples:
            said[flag.sample_id].append(flag)
        row = latest.get(flag.id)
        if row is not None and row.decision in ("accept", "relabel", "new_breed"):
            accepted[row.label] += 1
    wanted = {flag.id for flag in flags}
    signals = {
        row.flag_id: row
        for row in session.scalars(sa.select(Signals).options(defer(Signals.embedding)))
        if row.flag_id in wanted
    }
    known = _Known(
        latest, signals, standings(session, {flag.flagger for flag in flags}), over_cap(session, cap),
        accepted, said, new, cap,
    )  # fmt: skip
    found = [(_evidence(flag, known), flag) for flag in flags]
    ranked = sorted(found, key=lambda pair: order(pair[0]))[:limit]
    groups = _groups(session, [flag for _, flag in ranked])
    return [_item(flag, evidence, groups[flag.id], known) for evidence, flag in ranked]


def _evidence(flag: Flag, known: _Known) -> Evidence:
    found = known.signals.get(flag.id)
    label = label_of(flag)
    answers = _answers(flag, known)
    standing = known.records.get(flag.flagger, Standing())
    guess = 0.5 if flag.probability is None else 1.0 - flag.probability
    return Evidence(
        flag_id=flag.id,
        flagged_at=flag.flagged_at,
        uncertainty=guess if found is None or found.uncertainty is None else found.uncertainty,
        disagreement=disagreement(list(answers.values())),
        label_issue=(found.suspicion if found else None) or 0.0,
        rarity=rarity(known.accepted[label]) if label and known.accepted else 0.0,
        outlier_score=(found.novelty if found else None) or 0.0,
        held="trust" if standing.level == "low" else "cap" if flag.id in known.beyond else "",
    )


def _item(flag: Flag, evidence: Evidence, group: tuple[str, ...], known: _Known) -> Item:
    found, row = known.signals.get(flag.id), known.latest.get(flag.id)
    label = label_of(flag)
    standing = known.records.get(flag.flagger, Standing())
    if found is not None and found.top:
        top = tuple((str(breed), float(p)) for breed, p in json.loads(found.top))
    else:
        top = ((flag.predicted, flag.probability or 0.0),) if flag.predicted else ()
    why = reasons(
        evidence, signals=found, top=top, label=label, answers=_answers(flag, known),
        accepted=known.accepted[label], standing=standing, cap=known.cap,
        name=lambda breed: gettext("not a pet") if breed == NO_PET else breed_name(breed, known.new),
    )  # fmt: skip
    decided = row.label if row is not None and row.decision != "undo" else label
    return Item(
        flag, outcome(row), row, decided, breed_name(label, known.new), top, usefulness(evidence), why,
        evidence.held, group, standing,
    )  # fmt: skip


def _answers(flag: Flag, known: _Known) -> dict[str, int]:
    """What people said of a flag's pet → how many; a person counts once, with what they said last."""
    by_person: dict[str, str] = {}
    for other in sorted(known.said[flag.sample_id], key=lambda other: (other.flagged_at, other.id)):
        answer = answer_of(other)
        record = known.records.get(other.flagger, Standing())
        if answer and same_pet(flag, other) and other.id not in known.beyond and record.level != "low":
            by_person[other.flagger] = answer
    return dict(Counter(by_person.values()))


def _groups(session: Session, flags: Sequence[Flag]) -> dict[str, tuple[str, ...]]:
    wanted = {flag.id for flag in flags}
    rows = session.execute(sa.select(Signals.flag_id, Signals.model, Signals.embedding, Signals.phash))
    pictures = {
        flag_id: Picture(flag_id, model, unpack(vector), phash)
        for flag_id, model, vector, phash in rows
        if flag_id in wanted
    }
    return near_duplicates([pictures.get(flag.id, Picture(flag.id, "")) for flag in flags])


def _in_state(state: str, decision: Decision | None) -> bool:
    found = outcome(decision)
    return state in ("all", found) or (state == "decided" and found != "open")


def _breeds_of(flag: Flag, decision: Decision | None) -> set[str | None]:
    return {flag.label, flag.predicted, decision.label if decision else None}
