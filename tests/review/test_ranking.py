"""The order that is kept is the one that all flags make, and its head is read without looking at the rest."""

from __future__ import annotations

import datetime as dt
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import sqlalchemy as sa
from support.clock import Clock

from smartbreed.core.database import read, write
from smartbreed.core.errors import ReviewError, SmartBreedError
from smartbreed.feedback.flags import FlagService
from smartbreed.feedback.tables import Flag
from smartbreed.review import decisions, trust
from smartbreed.review.queue import STATES, Filters
from smartbreed.review.service import ReviewService
from smartbreed.review.tables import Signals, Unranked

ANN = "a" * 64
Make = Any
BREEDS = ("siamese", "birman", "persian", "pug", "beagle")
FILTERS = [
    *(Filters(state) for state in STATES),
    Filters(verdict="wrong"), Filters("all", verdict="correct"), Filters(breed="pug"),
    Filters("all", breed="siamese", verdict="wrong"), Filters("decided", breed="birman"),
]  # fmt: skip


def same_as_all(review: ReviewService, filters: Filters, limit: int) -> None:
    """The head that is kept is the head of the queue made of all flags."""
    whole = review.queue(filters)
    found, number = review.top(filters, limit)
    assert [item.id for item in found] == [item.id for item in whole[:limit]], filters
    assert number == len(whole)
    for one, other in zip(found, whole, strict=False):
        assert (one.why, one.usefulness, one.held) == (other.why, other.usefulness, other.held)
        assert (one.state, one.label, one.top, one.standing) == (
            other.state, other.label, other.top, other.standing
        )  # fmt: skip


def all_the_same(review: ReviewService, limit: int = 7) -> None:
    for filters in FILTERS:
        same_as_all(review, filters, limit)
    done, counted = review.progress(), review.stats()
    assert (done.states, done.unseen) == (counted.states, counted.unseen)
    with read(review.sessions) as session:
        people = sorted(set(session.scalars(sa.select(Flag.flagger))))
        flags = session.scalars(sa.select(Flag.id).where(Flag.state != "withdrawn")).all()
    for person in people[:2]:
        same_as_all(review, Filters("all", flagger=person[:6]), limit)
    whole = {item.id: item for item in review.queue(Filters("all"))}
    for flag_id in flags[:3]:
        assert review.item(flag_id).why == whole[flag_id].why


def score(review: ReviewService, flag_id: str, chance: random.Random) -> None:
    """What a model may make of a flag."""
    row = Signals(
        flag_id=flag_id, model=chance.choice("ab"), embedding=None, phash=None,
        top=json.dumps([["birman", 0.6], ["pug", 0.3]]), uncertainty=chance.random(),
        suspicion=chance.random(), novelty=chance.random(), given=0.1, support=0.2, problem=None,
        looked_at=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    with write(review.sessions) as session:
        session.merge(row)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_stays_right_whatever_happens(
    review: ReviewService, flags: FlagService, flag: Make, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    review.cap = 4
    made: list[tuple[str, str]] = []

    def new() -> None:
        who, verdict = chance.choice("abcd"), chance.choice(("wrong", "wrong", "correct", "not_a_pet"))
        label = chance.choice(BREEDS) if verdict == "wrong" else None
        predicted = chance.choice(("birman", "pug"))
        box = (4.0, 4.0, 60.0, 44.0) if chance.random() < 0.8 else (1.0, 1.0, 20.0, 20.0)
        species = "dog" if label in ("pug", "beagle") else "cat"
        probability = chance.choice((0.5, 0.7, 0.9))
        flag_id = flag(
            chance.randrange(9), who, verdict=verdict, label=label, predicted=predicted, box=box,
            species=species, probability=probability,
        )  # fmt: skip
        made.append((flag_id, who))

    def decide() -> None:
        decision = chance.choice(
            (decisions.accept(), decisions.reject(), decisions.relabel(chance.choice(BREEDS), {}))
        )
        review.decide([chance.choice(made)[0]], decision, ANN)

    def yesterday() -> None:
        with write(review.sessions) as session:
            row = session.get(Flag, chance.choice(made)[0])
            if row is not None:
                row.flagged_at -= dt.timedelta(days=1, seconds=chance.randrange(60))

    acts: list[Callable[[], object]] = [
        new, new, new, new, decide, decide,
        lambda: review.undo([chance.choice(made)[0]], ANN),
        lambda: flags.withdraw(*chance.choice(made)),
        lambda: flags.erase(chance.choice(made)[0]),
        lambda: score(review, chance.choice(made)[0], chance),
        review.decide_by_consensus,
        yesterday,
    ]  # fmt: skip
    for _ in range(12):
        new()
    all_the_same(review)
    for step in range(60):
        with suppress(SmartBreedError):  # of a flag that is gone, or not open
            chance.choice(acts)()
        if step % 15 == 14:
            all_the_same(review)
    assert any(item.held for item in review.queue(Filters("all"))), "the cap or distrust held some back"


def test_another_cap_orders_all_anew(review: ReviewService, flag: Make) -> None:
    for seed in range(6):
        flag(seed)
    all_the_same(review)
    review.cap = 2
    assert [item.held for item in review.top(Filters(), 9)[0]] == [""] * 2 + ["cap"] * 4
    all_the_same(review)


def test_who_is_no_longer_trusted_falls_behind_with_all_flags(review: ReviewService, flag: Make) -> None:
    ids = [flag(seed, "bob") for seed in range(6)]
    other = flag(9, "eve", probability=0.99)
    assert review.top(Filters(), 9)[0][-1].id == other
    for flag_id in ids[:4]:
        review.decide([flag_id], decisions.relabel("persian", {}), ANN)
    found = review.top(Filters(), 9)[0]
    assert [(item.id, item.held) for item in found] == [(other, ""), (ids[4], "trust"), (ids[5], "trust")]


def test_while_many_wait_for_their_place_the_queue_is_right(
    review: ReviewService, flag: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartbreed.review.service._FEW", 3)
    for seed in range(8):
        flag(seed, probability=0.1 * seed)
    all_the_same(review)
    with read(review.sessions) as session:
        assert len(session.scalars(sa.select(Unranked.flag_id)).all()) == 8, "left to the background"
    assert review.catch_up()
    with read(review.sessions) as session:
        assert session.scalars(sa.select(Unranked.flag_id)).all() == []
    all_the_same(review)


def test_a_database_that_cannot_be_written_still_shows_the_queue(
    review: ReviewService, flags: FlagService, flag: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {flag(seed) for seed in range(3)}
    with read(review.sessions) as session:
        file = session.connection().exec_driver_sql("PRAGMA database_list").one()[2]
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with read(review.sessions) as session:
        session.connection().exec_driver_sql("PRAGMA busy_timeout=1")
    found, number = review.top(Filters(), 9)
    assert ({item.id for item in found}, number) == (ids, 3)
    writer.close()


def fill(review: ReviewService, numbers: range) -> None:
    """Flags of as many photos by a few hundred people, scored, and a tenth of them decided."""
    chance, now = random.Random(numbers.start), dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    with write(review.sessions) as session:
        for n in numbers:
            flag = Flag(
                id=f"{n:026d}", sample_id=f"{n:064x}", photo_width=9, photo_height=9,
                predicted=chance.choice(BREEDS), label=chance.choice(BREEDS), verdict="wrong",
                model_revision="m", consent=True, flagged_at=now - dt.timedelta(hours=n),
                flagger=f"{chance.randrange(300):064x}", state="pending", dedupe_key=f"{n:064x}",
                probability=chance.random(),
            )  # fmt: skip
            session.add(flag)
            if n % 10 == 0:
                row = decisions.NewDecision("accept", flag.label)
                decisions.append(session, flag, row, ANN, None, now)
    with write(review.sessions) as session:
        trust.refresh(session, {f"{n:064x}" for n in range(300)}, now)
    assert review.catch_up()


@contextmanager
def steps(review: ReviewService) -> Iterator[list[int]]:
    """What SQLite does inside, in instructions of its machine: the same each time."""
    engine, counted = review.sessions().get_bind(), [0]

    def watch(connection: Any, *_: Any) -> None:
        def more() -> None:
            counted[0] += 1

        connection.connection.driver_connection.set_progress_handler(more, 1)

    sa.event.listen(engine, "begin", watch)
    yield counted
    sa.event.remove(engine, "begin", watch)


LOOKS: dict[str, Callable[[ReviewService], object]] = {
    "the open ones": lambda review: review.top(Filters(), 40),
    "all of one answer": lambda review: review.top(Filters("all", verdict="wrong"), 40),
    "progress": lambda review: review.progress(),
    "one flag": lambda review: review.item(f"{7:026d}"),
    "one state": lambda review: review.current([f"{7:026d}"]),
    "new breeds": lambda review: review.new_breeds(),
}


def test_looking_takes_no_more_with_five_times_the_flags(review: ReviewService) -> None:
    taken: list[dict[str, int]] = []
    for numbers in (range(400), range(400, 2000)):
        fill(review, numbers)
        taken.append({})
        for name, look in LOOKS.items():
            with steps(review) as counted:
                look(review)
            taken[-1][name] = counted[0]
    few, many = taken
    assert all(few.values()), "the steps are counted"
    assert {name for name in LOOKS if many[name] > 1.5 * few[name]} == set(), taken


def test_a_filter_that_makes_no_sense_is_refused(review: ReviewService) -> None:
    with pytest.raises(ReviewError, match="Received"):
        review.top(Filters("lost"), 9)
