"""Decisions without a maintainer: known answers, and people who agree."""

from __future__ import annotations

from typing import Any

import pytest
from support.flags import flag_request

from smartbreed.core.errors import ReviewError
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import FlagService
from smartbreed.review import decisions
from smartbreed.review.queue import Filters
from smartbreed.review.service import ReviewService
from smartbreed.review.trust import Standing

ANN = "a" * 64
Make = Any


def make_trusted(review: ReviewService, flag: Make, who: str, first_seed: int = 1000) -> None:
    """Five answers of theirs that a maintainer accepted."""
    review.decide([flag(first_seed + n, who) for n in range(5)], decisions.accept(), ANN)


def make_distrusted(review: ReviewService, flag: Make, who: str, first_seed: int = 2000) -> None:
    review.decide([flag(first_seed + n, who) for n in range(4)], decisions.reject(), ANN)


def decided(review: ReviewService) -> list[tuple[str, str, str | None, str]]:
    return sorted((r.flag_id, r.decision, r.label, r.reviewer) for r in review.decide_by_consensus())


def test_two_who_agree_are_accepted(review: ReviewService, flag: Make) -> None:
    make_trusted(review, flag, "ann")
    first, second = flag(1, "ann"), flag(1, "bob", box=(5.0, 4.0, 60.0, 43.0))
    assert decided(review) == [
        (flag_id, "accept", "siamese", "agreement") for flag_id in sorted((first, second))
    ]
    assert review.decide_by_consensus() == []
    third = flag(1, "cy", verdict="correct", label=None, predicted="siamese")
    assert decided(review) == [(third, "accept", "siamese", "agreement")]


@pytest.mark.parametrize(
    "second",
    [
        {"who": "ann", "verdict": "correct", "label": None, "predicted": "siamese"},  # the same person
        {"who": "bob", "seed": 2},  # another photo
        {"who": "bob", "box": (30.0, 10.0, 64.0, 48.0)},  # another pet
        {"who": "bob", "label": "persian"},  # another answer
        {"who": "bob", "label": None, "label_text": "Siamese mix of some kind"},
    ],
    ids=["same person", "other photo", "other pet", "other breed", "own words"],
)
def test_what_is_no_agreement(review: ReviewService, flag: Make, second: dict[str, Any]) -> None:
    make_trusted(review, flag, "ann")
    flag(1, "ann")
    flag(**{"seed": 1, **second})
    assert review.decide_by_consensus() == []


def test_two_newcomers_do_not_count(review: ReviewService, flag: Make) -> None:
    flag(1, "ann"), flag(1, "bob"), flag(1, "cy")
    assert review.decide_by_consensus() == []


def test_who_was_often_wrong_neither_counts_nor_blocks(review: ReviewService, flag: Make) -> None:
    make_trusted(review, flag, "ann")
    make_distrusted(review, flag, "eve")
    flag(1, "ann"), flag(1, "eve")
    assert review.decide_by_consensus() == []
    bob = flag(1, "bob")
    flag(1, "eve", label="persian")
    made = decided(review)
    assert len(made) == 2
    assert bob in {flag_id for flag_id, *_ in made}


def test_a_person_who_says_otherwise_leaves_it_to_a_maintainer(review: ReviewService, flag: Make) -> None:
    make_trusted(review, flag, "ann")
    flag(1, "ann"), flag(1, "bob")
    flag(1, "cy", verdict="not_a_pet", label=None)
    assert review.decide_by_consensus() == []


def test_a_maintainer_who_took_it_back_is_not_overruled(review: ReviewService, flag: Make) -> None:
    make_trusted(review, flag, "ann")
    first = flag(1, "ann")
    flag(1, "bob")
    review.decide_by_consensus()
    review.undo([first], ANN)
    assert review.decide_by_consensus() == []
    flag(1, "dora")
    assert review.decide_by_consensus() == []


@pytest.mark.parametrize("flagger", ["dora", "beyond", "distrusted"])
def test_a_maintainer_who_says_there_is_no_pet_is_not_overruled(
    flags: FlagService, settings: Settings, clock: Any, flag: Make, flagger: str
) -> None:
    review = ReviewService(flags, settings.model_copy(update={"daily_flags": 8}), clock)
    make_trusted(review, flag, "ann")
    if flagger == "beyond":
        for seed in range(8):
            flag(3000 + seed, flagger)
    if flagger == "distrusted":
        make_distrusted(review, flag, flagger)
    none = flag(1, flagger, verdict="not_a_pet", label=None)
    review.decide([none], decisions.accept(), ANN)
    flag(1, "ann"), flag(1, "bob")
    assert review.decide_by_consensus() == []


def test_an_accepted_pet_without_a_breed_does_not_stop_an_agreement(
    review: ReviewService, flag: Make
) -> None:
    make_trusted(review, flag, "ann")
    missed = flag(1, "dora", verdict="missed", label=None, predicted=None, species="cat")
    review.decide([missed], decisions.accept(), ANN)
    ids = [flag(1, "ann"), flag(1, "bob")]
    assert decided(review) == [(flag_id, "accept", "siamese", "agreement") for flag_id in sorted(ids)]


def test_a_known_answer_that_is_a_new_breed_has_the_name_it_was_given(
    review: ReviewService, flag: Make
) -> None:
    first = flag(1, "ann")
    new_decision = decisions.new_breed("Šarplaninac", "dog", "", {}, "illyrian_dog")
    review.decide([first], new_decision, ANN)
    review.set_gold(first, ANN, gold=True)
    flag(1, "bob")
    assert [made.reason for made in review.decide_by_consensus()] == ["The known answer is Šarplaninac."]


def test_agreement_earns_no_record(review: ReviewService, flag: Make) -> None:
    make_trusted(review, flag, "ann")
    for seed in range(6):
        flag(seed, "ann"), flag(seed, "bob")
    assert len(review.decide_by_consensus()) == 12
    checked = flag(50, "bob")
    review.decide([checked], decisions.accept(), ANN)
    assert review.item(checked).standing == Standing(right=1, wrong=0)


def test_the_setting(flags: FlagService, settings: Settings, clock: Any, flag: Make) -> None:
    never, three, one = (
        ReviewService(flags, settings.model_copy(update={"agreements": n}), clock) for n in (0, 3, 1)
    )
    make_trusted(never, flag, "ann")
    flag(1, "ann")
    assert one.decide_by_consensus() == [], "one person is no agreement"
    flag(1, "bob")
    assert never.decide_by_consensus() == []
    assert three.decide_by_consensus() == []
    flag(1, "cy")
    assert len(three.decide_by_consensus()) == 3


def test_withdrawn_flags_do_not_count(review: ReviewService, flags: FlagService, flag: Make) -> None:
    make_trusted(review, flag, "ann")
    flag(1, "ann")
    flags.withdraw(flag(1, "bob"), "bob")
    assert review.decide_by_consensus() == []


def test_flags_of_a_known_answer_are_judged_by_it(review: ReviewService, flag: Make) -> None:
    model = flag(1, "maintainer")
    with pytest.raises(ReviewError, match="Only what a maintainer decided"):
        review.set_gold(model, ANN)
    review.decide([model], decisions.accept(), ANN)
    review.set_gold(model, ANN)
    right, wrong = flag(1, "bob"), flag(1, "eve", label="persian")
    unsure = flag(1, "cy", verdict="unsure", label=None)
    assert decided(review) == sorted([(right, "accept", "siamese", "gold"), (wrong, "reject", None, "gold")])
    assert [item.id for item in review.queue()] == [unsure]
    assert review.item(right).standing.right == 1
    assert review.item(wrong).standing.wrong == 1
    assert "Siamese" in (review.history(wrong)[0].reason or "")
    review.undo([wrong], ANN)
    assert review.decide_by_consensus() == [], "a maintainer's word goes before a known answer"


def test_an_answer_taken_back_is_no_known_one(review: ReviewService, flag: Make) -> None:
    model = flag(1)
    review.decide([model], decisions.relabel("persian", {}), ANN)
    review.set_gold(model, ANN)
    assert review.is_gold(model)
    review.undo([model], ANN)
    assert not review.is_gold(model)


def test_a_known_answer_is_brought_in(review: ReviewService) -> None:
    request = flag_request(
        7, label="pug", predicted="boxer", flagger_token="anyone", box=(4.0, 4.0, 60.0, 44.0)
    )
    made = review.add_gold(request, ANN)
    (item,) = review.queue(Filters("accepted"))
    assert (item.id, item.label, item.decision.reviewer) == (made, "pug", "gold")  # type: ignore[union-attr]
    assert review.is_gold(made)
    with pytest.raises(ReviewError):
        review.add_gold(request, ANN)
