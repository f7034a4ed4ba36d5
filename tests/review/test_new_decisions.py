"""What a maintainer may say, and the sentences for what they may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.core.errors import ReviewError
from smartbreed.review.decisions import MAX_NAME, NewBreed, id_of, new_breed, reject, relabel

MUDI = {"mudi": NewBreed("mudi", "Mudi", "dog", "shepherd")}


@pytest.mark.parametrize(
    ("text", "label"),
    [("boston_bull", "boston_bull"), ("Boston Terrier", "boston_bull"), ("SIAMESE cat", "siamese")],
)
def test_existing_breeds_are_found_by_any_name(text: str, label: str) -> None:
    assert relabel(text, {}).label == label


@pytest.mark.parametrize(
    ("name", "species", "group", "key", "code"),
    [
        ("", "dog", "", "", "bad_name"),
        ("12", "dog", "", "", "bad_name"),
        ("x" * 81, "dog", "", "", "text_too_long"),
        ("Mudi", "wolf", "", "", "unknown_species"),
        ("Mudi", "cat", "shepherd", "", "unknown_group"),
        ("Mudi", "dog", "nobility", "", "unknown_group"),
        ("Mudi", "dog", "", "Mudi!", "bad_id"),
        ("Mudi", "dog", "", "mudi__x", "bad_id"),
        ("Мудi", "dog", "", "", "bad_id"),  # Cyrillic but for one letter, which is no id
        ("Siamese", "cat", "", "", "known_breed"),
        ("Xolo", "dog", "", "", "known_breed"),
        ("Something", "dog", "", "boston_terrier", "known_breed"),
    ],
)
def test_a_new_breed_that_is_none(name: str, species: str, group: str, key: str, code: str) -> None:
    with pytest.raises(ReviewError) as error:
        new_breed(name, species, group, {}, key)
    assert error.value.code == code


def test_a_new_breed_is_introduced_once_and_always_as_the_same() -> None:
    assert new_breed("Мудi", "dog", "", {}, "mudi").label == "mudi"
    assert new_breed("mudi", "dog", "shepherd", {}).label == "mudi"
    assert new_breed("Mudi", "dog", "shepherd", MUDI).label == "mudi"
    for name, species, group, key in (
        ("Mudi", "cat", "", ""), ("Mudi", "dog", "", ""), ("Mudi", "dog", "shepherd", "hungarian_mudi"),
        ("Múdi", "dog", "shepherd", ""),
    ):  # fmt: skip
        with pytest.raises(ReviewError) as error:
            new_breed(name, species, group, MUDI, key)
        assert error.value.code == "known_breed"


@given(st.text(max_size=200))
def test_names_give_clean_rows_or_sentences(text: str) -> None:
    try:
        new_decision = new_breed(text, "dog", "", {}, "some_id")
    except ReviewError:
        return
    assert new_decision.name
    assert len(new_decision.name) <= MAX_NAME
    assert new_decision.name == " ".join(new_decision.name.split())
    assert new_decision.name.isprintable()


@given(st.text(max_size=60))
def test_ids_are_lower_snake(text: str) -> None:
    found = id_of(text)
    assert found == "" or all(part.isascii() and part.isalnum() for part in found.split("_"))
    assert found == found.lower()


def test_reasons_are_cleaned() -> None:
    assert reject(" blurred\n\x1b[31m ").reason == "blurred [31m"
    with pytest.raises(ReviewError):
        reject("x" * 501)
