"""Deciding flags: what becomes a row, what is refused and why, undo, many at once."""

from __future__ import annotations

from typing import Any

import pytest

from smartbreed.core.database import read
from smartbreed.core.errors import ReviewError
from smartbreed.dataset.schema import REVIEW_COLUMNS
from smartbreed.feedback.flags import FlagService
from smartbreed.review import decisions
from smartbreed.review.queue import Filters
from smartbreed.review.service import ReviewService
from smartbreed.review.tables import Decision, Trust

ANN, BOB = "a" * 64, "b" * 64
Make = Any


def states(review: ReviewService) -> dict[str, str]:
    return {item.id: item.state for item in review.queue(Filters("all"))}


def test_accepting_relabelling_and_rejecting(review: ReviewService, flag: Make, clock: Any) -> None:
    first, second, third, fourth = flag(1), flag(2), flag(3), flag(4, verdict="not_a_pet", label=None)
    accepted = review.decide([first], decisions.accept("clear"), ANN).decisions[0]
    assert (accepted.decision, accepted.label, accepted.reason) == ("accept", "siamese", "clear")
    assert (accepted.reviewer, accepted.state, accepted.decided_at) == (ANN, "pending", clock.now)
    relabelled = review.decide([second], decisions.relabel("Xolo", {}), ANN).decisions[0]
    assert (relabelled.decision, relabelled.label) == ("relabel", "mexican_hairless")
    assert review.decide([third], decisions.reject(), ANN).decisions[0].label is None
    assert review.decide([fourth], decisions.accept(), ANN).decisions[0].label is None
    assert states(review) == {first: "accepted", second: "relabelled", third: "rejected", fourth: "accepted"}
    assert review.queue() == []


def test_a_row_has_every_column_of_the_dataset(review: ReviewService, flag: Make) -> None:
    (row,) = review.decide([flag()], decisions.accept(), ANN).decisions
    with read(review.sessions) as session:
        kept = session.get(Decision, row.decision_id)
    assert kept is not None
    columns = {column.name for column in Decision.__table__.columns}
    assert set(REVIEW_COLUMNS) - {"box"} <= columns
    assert {"x0", "y0", "x1", "y1"} <= columns
    assert kept.sample_id == review.item(row.flag_id).flag.sample_id


def test_relabelling_as_the_person_said_is_accepting(review: ReviewService, flag: Make) -> None:
    (row,) = review.decide([flag()], decisions.relabel("siamese", {}), ANN).decisions
    assert (row.decision, row.label) == ("accept", "siamese")


def test_a_correct_answer_is_accepted_as_predicted(review: ReviewService, flag: Make) -> None:
    (row,) = review.decide([flag(verdict="correct", label=None)], decisions.accept(), ANN).decisions
    assert row.label == "birman"


@pytest.mark.parametrize(
    "said",
    [{"verdict": "unsure"}, {"verdict": "missed", "species": None}, {"label_text": "Mudi"}],
    ids=["unsure", "missed", "own words"],
)
def test_nothing_to_accept(review: ReviewService, flag: Make, said: dict[str, Any]) -> None:
    made = flag(**{"label": None, **said})
    with pytest.raises(ReviewError, match="names no breed"):
        review.decide([made], decisions.accept(), ANN)
    assert states(review) == {made: "open"}
    assert review.history(made) == []


def test_of_two_maintainers_the_second_gets_an_error(review: ReviewService, flag: Make) -> None:
    made = flag()
    review.decide([made], decisions.accept(), ANN)
    with pytest.raises(ReviewError, match="was accepted as Siamese by a maintainer") as error:
        review.decide([made], decisions.reject(), BOB)
    assert error.value.status == 409
    assert [row.reviewer for row in review.history(made)] == [ANN]


def test_undo_opens_a_flag_and_keeps_the_history(review: ReviewService, flag: Make, clock: Any) -> None:
    made = flag()
    review.decide([made], decisions.accept(), ANN)
    clock.forward(minutes=-5)  # a clock that goes back changes nothing
    review.undo([made], BOB, reason="too soon")
    assert states(review) == {made: "open"}
    review.decide([made], decisions.reject("blurred"), BOB)
    rows = review.history(made)
    assert [row.decision for row in rows] == ["accept", "undo", "reject"]
    assert rows[0].decided_at < rows[1].decided_at < rows[2].decided_at
    review.undo([made], ANN)
    with pytest.raises(ReviewError, match="Nothing is decided"):
        review.undo([made], ANN)


def test_the_reason_of_an_undo_is_cleaned_and_limited(review: ReviewService, flag: Make) -> None:
    flag_id = flag()
    review.decide([flag_id], decisions.accept(), ANN)
    with pytest.raises(ReviewError) as caught:
        review.undo([flag_id], ANN, reason="x" * (decisions.MAX_REASON + 1))
    assert caught.value.code == "text_too_long"
    assert review.current([flag_id]) == {flag_id: "accepted"}, "nothing was undone"
    review.undo([flag_id], ANN, reason=" a \u202eslip\n of the  mouse ")
    assert review.history(flag_id)[-1].reason == "a slip of the mouse"


def test_undo_takes_back_only_ones_own_decision(review: ReviewService, flag: Make) -> None:
    made = flag()
    mine = review.decide([made], decisions.accept(), ANN).decisions[0].decision_id
    review.undo([made], BOB)
    review.decide([made], decisions.reject(), BOB)
    with pytest.raises(ReviewError, match="anew"):
        review.undo([made], ANN, only=[mine])
    assert states(review) == {made: "rejected"}


def test_a_withdrawn_flag_vanishes(review: ReviewService, flags: FlagService, flag: Make) -> None:
    kept, gone = flag(1), flag(2)
    flags.withdraw(gone, "ann")
    assert [item.id for item in review.queue()] == [kept]
    assert review.current([kept, gone]) == {kept: "open"}
    with pytest.raises(ReviewError, match="took flag"):
        review.decide([gone], decisions.accept(), ANN)
    with pytest.raises(ReviewError, match="no such flag"):
        review.item(gone)


@pytest.mark.parametrize("flag_id", ["", "nonsense", "'; DROP TABLE flags", "\x00", "ü" * 26, "A" * 26])
def test_a_flag_that_is_not_there(review: ReviewService, flag_id: str) -> None:
    with pytest.raises(ReviewError, match="no such flag"):
        review.decide([flag_id], decisions.accept(), ANN)
    with pytest.raises(ReviewError, match="no such flag"):
        review.item(flag_id)


def test_many_at_once(review: ReviewService, flag: Make) -> None:
    ids = [flag(seed) for seed in range(5)]
    review.decide([ids[1]], decisions.reject(), BOB)
    outcome = review.decide([*ids, ids[0]], decisions.accept(), ANN)
    assert [row.flag_id for row in outcome.decisions] == [ids[0], *ids[2:]]
    assert list(outcome.skipped) == [ids[1]]
    undone = review.undo([row.flag_id for row in outcome.decisions], ANN)
    assert len(undone.decisions) == 4
    for wrong in ([], [str(n) for n in range(1001)]):
        with pytest.raises(ReviewError, match="Choose from 1 to 1000"):
            review.decide(wrong, decisions.accept(), ANN)


def test_one_decision_for_near_duplicates(review: ReviewService, flag: Make) -> None:
    lead, other, none = flag(1), flag(2, label="persian"), flag(3, verdict="not_a_pet", label=None)
    rows = review.decide([lead, other, none], decisions.accept(), ANN, together=True).decisions
    assert [(row.decision, row.label) for row in rows] == [
        ("accept", "siamese"), ("relabel", "siamese"), ("relabel", "siamese"),
    ]  # fmt: skip
    review.undo([lead, other, none], ANN)
    outcome = review.decide([lead, other], decisions.reject(), ANN, together=True)
    assert [row.flag_id for row in outcome.decisions] == [lead]
    assert "says something else" in outcome.skipped[other]


def test_a_new_breed(review: ReviewService, flag: Make) -> None:
    first, second, third = flag(1, label=None, label_text="Mudi"), flag(2, label="siamese"), flag(3)
    new_decision = decisions.new_breed("Mudi", "dog", "shepherd", review.new_breeds())
    (row,) = review.decide([first], new_decision, ANN).decisions
    assert (row.decision, row.label, row.name) == ("new_breed", "mudi", "Mudi")
    assert (row.species, row.group) == ("dog", "shepherd")
    # From now on it can be chosen, and every row spells it out.
    (again,) = review.decide([second], decisions.relabel("MUDI", review.new_breeds()), BOB).decisions
    assert (again.decision, again.label, again.name, again.species) == ("new_breed", "mudi", "Mudi", "dog")
    review.undo([first], ANN)
    assert list(review.new_breeds()) == ["mudi"], "the other row still vouches for it"
    review.undo([second], ANN)
    assert review.new_breeds() == {}
    with pytest.raises(ReviewError, match="introduce it as a new breed"):
        review.decide([third], decisions.relabel("Mudi", review.new_breeds()), ANN)


def test_the_record_of_a_flagger_follows_decisions(review: ReviewService, flag: Make) -> None:
    right, wrong, unsure = flag(1), flag(2), flag(3, verdict="unsure", label=None)

    def record() -> tuple[int, int]:
        with read(review.sessions) as session:
            row = session.get(Trust, review.item(right).flag.flagger)
            assert row is not None
            return row.right, row.wrong

    review.decide([right], decisions.accept(), ANN)
    review.decide([wrong, unsure], decisions.relabel("persian", {}), ANN)
    assert record() == (1, 1)
    review.undo([wrong], ANN)
    assert record() == (1, 0)
