"""The breed texts: complete, of one form, and each its own."""

from __future__ import annotations

import difflib
import itertools
import re
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


def words(text: str) -> set[str]:
    return {word.lower().removesuffix("'s").rstrip("s") for word in re.findall(r"[\w']{3,}", text)}


def test_what_tells_two_breeds_apart_names_one_of_them() -> None:
    for breed_id, text in TEXTS.items():
        for alike in text.look_alikes if text else ():
            pair = BREEDS[breed_id], BREEDS[alike.breed]
            names = {word for breed in pair for name in (breed.name, *breed.aliases) for word in words(name)}
            assert names & words(alike.tell_apart), (breed_id, alike.breed)


def test_two_breeds_that_list_each_other_have_a_hint_each() -> None:
    hints = {
        (breed_id, alike.breed): alike.tell_apart
        for breed_id, text in TEXTS.items()
        for alike in (text.look_alikes if text else ())
    }
    both = [pair for pair in hints if pair[::-1] in hints]
    assert len(both) > 250
    assert [pair for pair in both if hints[pair] == hints[pair[::-1]]] == []


def test_no_two_summaries_are_alike() -> None:
    summaries = {breed_id: text.summary for breed_id, text in TEXTS.items() if text}
    alike = []
    for one, other in itertools.combinations(summaries, 2):
        matcher = difflib.SequenceMatcher(None, summaries[one], summaries[other])
        if matcher.real_quick_ratio() > 0.7 and matcher.quick_ratio() > 0.7 and matcher.ratio() > 0.7:
            alike.append((one, other))
    assert alike == []
