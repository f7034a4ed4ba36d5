"""Deciding missed pets: they need a place, may do with a species, and their box may be corrected."""

from __future__ import annotations

from typing import Any

import pytest

from smartbreed.core.errors import ReviewError
from smartbreed.dataset.accepted import accepted_pets, sample_key
from smartbreed.review import decisions
from smartbreed.review.queue import Filters
from smartbreed.review.service import ReviewService

ANN = "a" * 64
BOX, OTHER = (4.0, 4.0, 60.0, 44.0), (8.0, 6.0, 50.0, 40.0)
Make = Any
UNNAMED: dict[str, Any] = {
    "verdict": "missed", "label": None, "predicted": None, "probability": None, "pet_index": None,
    "species": None, "found": [((4.0, 4.0, 20.0, 20.0), "cat")],
}  # fmt: skip


def known(review: ReviewService) -> dict[str, str]:
    """The breeds of the accepted pets, by their key."""
    return {pet.key: pet.label for pet in accepted_pets(review.sessions)}


def test_accepting_with_a_breed_or_with_a_species_only(review: ReviewService, flag: Make) -> None:
    named, unnamed, said = (
        flag(1, **{**UNNAMED, "label": "siamese"}),
        flag(2, **UNNAMED),
        flag(3, **{**UNNAMED, "species": "dog"}),
    )
    row = review.decide([named], decisions.accept(), ANN).decisions[0]
    assert (row.label, row.species, row.box) == ("siamese", None, None)
    with pytest.raises(ReviewError, match="dog or a cat"):
        review.decide([unnamed], decisions.accept(), ANN)
    row = review.decide([unnamed], decisions.accept(species="cat"), ANN).decisions[0]
    assert (row.decision, row.label, row.species) == ("accept", None, "cat")
    assert review.decide([said], decisions.accept(), ANN).decisions[0].species == "dog"
    with pytest.raises(ReviewError, match="cat or dog"):
        decisions.accept(species="horse")
    with pytest.raises(ReviewError, match="Only a breed"):
        review.set_gold(unnamed, ANN)  # a known answer without a breed would mean that there is no pet


def test_a_species_alone_is_no_crop_for_the_breeds(review: ReviewService, flag: Make) -> None:
    named, unnamed = flag(1, **{**UNNAMED, "label": "siamese"}), flag(2, **{**UNNAMED, "species": "dog"})
    review.decide([named, unnamed], decisions.accept(), ANN)
    sample = review.item(named).flag.sample_id
    assert known(review) == {sample_key(sample, BOX): "siamese"}


def test_a_corrected_box_counts(review: ReviewService, flag: Make) -> None:
    made = flag(1, **{**UNNAMED, "label": "siamese"})
    row = review.decide([made], decisions.accept(box=OTHER), ANN).decisions[0]
    assert row.box == OTHER
    sample = review.item(made).flag.sample_id
    assert known(review) == {sample_key(sample, OTHER): "siamese"}
    review.undo([made], ANN)
    row = review.decide([made], decisions.at(decisions.relabel("birman", {}), OTHER), ANN).decisions[0]
    assert (row.decision, row.label, row.box) == ("relabel", "birman", OTHER)
    review.undo([made], ANN)
    assert review.decide([made], decisions.accept(box=BOX), ANN).decisions[0].box is None, "it says the same"


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ((0, 0, 9999, 40), "not inside"),
        ((1, 1, 4, 40), "at least 8"),
        ((1, float("nan"), 30, 40), "four numbers"),
    ],
)
def test_a_bad_box_decides_nothing(review: ReviewService, flag: Make, box: Any, sentence: str) -> None:
    made = flag(1, **{**UNNAMED, "label": "siamese"})
    with pytest.raises(ReviewError, match=sentence):
        review.decide([made], decisions.accept(box=box), ANN)
    assert review.history(made) == []


def test_without_a_place_it_is_rejected_or_gets_one(review: ReviewService, flag: Make) -> None:
    made, other = flag(1, **{**UNNAMED, "label": "siamese", "box": None}), flag(2, **{**UNNAMED, "box": None})
    for new_decision in (decisions.accept(), decisions.relabel("birman", {})):
        with pytest.raises(ReviewError, match="does not say where"):
            review.decide([made], new_decision, ANN)
    assert review.decide([made], decisions.accept(box=OTHER), ANN).decisions[0].box == OTHER
    assert review.decide([other], decisions.reject(), ANN).decisions[0].decision == "reject"


def test_only_the_box_of_a_missed_pet_and_of_one_photo(review: ReviewService, flag: Make) -> None:
    with pytest.raises(ReviewError, match="Only the box of a missed pet"):
        review.decide([flag(1)], decisions.accept(box=OTHER), ANN)
    first, alike = flag(2, **{**UNNAMED, "label": "siamese"}), flag(3, **{**UNNAMED, "label": "siamese"})
    rows = review.decide([first, alike], decisions.accept(box=OTHER), ANN, together=True).decisions
    assert [row.box for row in rows] == [OTHER, None], "a box is a place in one photo"


def test_agreement_passes_over_a_missed_pet_that_is_nowhere(review: ReviewService, flag: Make) -> None:
    for seed in range(8):
        review.decide([flag(seed, who="ann")], decisions.accept(), ANN)
    nowhere = {**UNNAMED, "label": "siamese", "box": None}
    made = [flag(20, who=who, **nowhere) for who in ("ann", "bob")]
    placed = [flag(21, who=who, **{**nowhere, "box": BOX}) for who in ("ann", "bob")]
    review.decide_by_consensus()
    states = {item.id: item.state for item in review.queue(Filters("all"))}
    assert [states[one] for one in made] == ["open", "open"]
    assert [states[one] for one in placed] == ["accepted", "accepted"]
