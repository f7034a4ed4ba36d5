"""The breed texts: complete, of one form, and each its own."""

from __future__ import annotations

from collections import Counter

import pytest

from smartbreed.breeds import facts
from smartbreed.breeds.catalogue import BREEDS
from smartbreed.breeds.facts import BreedFacts, facts_of

TEXTS = {breed_id: facts_of(breed_id) for breed_id in BREEDS}


def test_every_breed_has_a_text_and_every_text_a_breed() -> None:
    assert [breed_id for breed_id, text in TEXTS.items() if text is None or text.id != breed_id] == []
    assert {path.stem for path in facts._FOLDER.glob("*")} == set(BREEDS)


def test_no_two_breeds_share_a_sentence() -> None:
    sentences = Counter(
        sentence
        for text in TEXTS.values()
        if text is not None
        for sentence in (text.summary, text.character, text.history, text.coat.text, text.exercise.text)
    )
    assert [sentence for sentence, times in sentences.items() if times > 1] == []


def test_a_breed_without_a_text() -> None:
    assert facts_of("shiba_inu") is None
    assert facts_of("../catalogue") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height_cm": None}, "height_cm is missing"),
        ({"weight_kg": {"least": 9, "most": 5}}, "least 9 is above most 5"),
        (
            {"look_alikes": [{"breed": "border_terrier", "tell_apart": "It looks just the same."}]},
            "no other dog",
        ),
        ({"look_alikes": [{"breed": "siamese", "tell_apart": "It looks quite different."}]}, "no other dog"),
        ({"summary": "Too short."}, "at least 20"),
        ({"colour": "red"}, "not permitted"),
        ({"id": "shiba_inu"}, "not in the catalogue"),
    ],
)
def test_a_text_that_is_wrong_is_refused(change: dict[str, object], message: str) -> None:
    text = TEXTS["border_terrier"]
    assert text is not None
    with pytest.raises(ValueError, match=message):
        BreedFacts.model_validate(text.model_dump() | change)
