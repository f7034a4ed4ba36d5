"""Decisions without a maintainer: by a known answer, and by people who agree.

Both decide only flags that are open and not withdrawn, in one transaction under the write lock,
so any process can repeat them at any time.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.feedback.tables import Flag
from smartbreed.review.claims import NO_PET, answer_of, label_of, same_pet
from smartbreed.review.decisions import (
    NewDecision,
    append,
    applied,
    breed_name,
    introduced,
    latest_decisions,
    names_of,
    outcome,
)
from smartbreed.review.tables import AGREEMENT, GOLD, Decision, Gold
from smartbreed.review.trust import over_cap, refresh, standings


def decide_by_consensus(session: Session, *, agreements: int, cap: int, now: dt.datetime) -> list[Decision]:
    """Make every decision that needs no maintainer; the caller holds the write lock.

    Args:
        agreements: people who have to say the same, at least 2; 0: agreement never accepts.
        cap: flags of one person per UTC day that count towards agreement.

    Returns:
        The new decisions.
    """
    made = _by_gold(session, now)
    if made:
        refresh(session, _flaggers(session, made), now)
        session.flush()
    return made + (_by_agreement(session, max(agreements, 2), cap, now) if agreements else [])


def _by_gold(session: Session, now: dt.datetime) -> list[Decision]:
    """Decide flags of pets with a known answer: accept right claims, reject wrong ones."""
    rows = session.execute(
        sa.select(Flag, Gold)
        .join(Gold, Gold.sample_id == Flag.sample_id)
        .where(Flag.state != "withdrawn", Flag.id != Gold.flag_id)
        .order_by(Flag.id, Gold.flag_id)
    ).all()
    latest = latest_decisions(session, [flag.id for flag, _ in rows])
    models = {gold.flag_id: session.get(Flag, gold.flag_id) for _, gold in rows}
    names = names_of(introduced(session))
    made: dict[str, Decision] = {}
    for flag, gold in rows:
        model = models[gold.flag_id]
        open_ = outcome(latest.get(flag.id)) == "open" and flag.id not in made
        claim = answer_of(flag)
        undone = flag.id in latest  # a maintainer undid an earlier decision: theirs to decide
        if not open_ or undone or claim is None or model is None or not same_pet(flag, model):
            continue
        known = gold.label or NO_PET
        if claim == known:
            new_decision = applied(NewDecision("accept", reason="As the known answer says."), flag)
        else:
            said = breed_name(gold.label, names) or "no pet"
            new_decision = NewDecision("reject", reason=f"The known answer is {said}.")
        made[flag.id] = append(session, flag, new_decision, GOLD, latest.get(flag.id), now)
    return list(made.values())


def _by_agreement(session: Session, agreements: int, cap: int, now: dt.datetime) -> list[Decision]:
    """Accept what enough people independently say about one pet, if at least one of them is trusted.

    A person counts once, only with flags within their daily cap, and not if they were wrong too
    often. The pet is left to a maintainer if a person who counts says something else, or if a
    maintainer decided otherwise or undid such an acceptance.
    """
    shared = (
        sa.select(Flag.sample_id)
        .where(Flag.state != "withdrawn")
        .group_by(Flag.sample_id)
        .having(sa.func.count(sa.distinct(Flag.flagger)) >= agreements)
    )
    flags = list(
        session.scalars(
            sa.select(Flag)
            .where(Flag.state != "withdrawn", Flag.sample_id.in_(shared))
            .order_by(Flag.sample_id, Flag.id)
        )
    )
    latest = latest_decisions(session, [flag.id for flag in flags])
    if all(outcome(latest.get(flag.id)) != "open" for flag in flags):
        return []
    records = standings(session, {flag.flagger for flag in flags})
    beyond = over_cap(session, cap)
    counts = {
        flag.id for flag in flags
        if flag.id not in beyond
        and (flag.flagger not in records or records[flag.flagger].level != "low")
    }  # fmt: skip
    made = []
    for pet in _pets(flags):
        decided = [latest[flag.id] for flag in pet if flag.id in latest]
        claims = {answer_of(flag) for flag in pet if flag.id in counts} - {None}
        claims |= {_decided_claim(row) for row in decided} - {None}
        if len(claims) != 1 or any(row.decision in ("undo", "reject", "relabel") for row in decided):
            continue
        agreed = [flag for flag in pet if flag.id in counts and label_of(flag) is not None]
        people = {flag.flagger for flag in agreed}
        known = any(person in records and records[person].level == "trusted" for person in people)
        if len(people) < agreements or not known:
            continue
        why = f"{len(people)} people independently agree."
        made += [
            append(session, flag, applied(NewDecision("accept", reason=why), flag), AGREEMENT, None, now)
            for flag in agreed
            if flag.id not in latest
        ]
    return made


def _decided_claim(row: Decision) -> str | None:
    """Return what a decision says about a pet, as `answer_of` does; None if nothing definite."""
    if row.decision == "accept" and row.label is None and row.species is None:
        return NO_PET
    return None if row.decision == "undo" else row.label


def _pets(flags: Iterable[Flag]) -> list[list[Flag]]:
    """Group flags by the pet that they are about."""
    by_sample: dict[str, list[list[Flag]]] = defaultdict(list)
    for flag in flags:
        pets = by_sample[flag.sample_id]
        pet = next((pet for pet in pets if same_pet(pet[0], flag)), None)
        if pet is None:
            pets.append([flag])
        else:
            pet.append(flag)
    return [pet for pets in by_sample.values() for pet in pets]


def _flaggers(session: Session, made: Iterable[Decision]) -> set[str]:
    ids = [row.flag_id for row in made]
    return {flag.flagger for flag_id in ids if (flag := session.get(Flag, flag_id)) is not None}
