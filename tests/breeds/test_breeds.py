"""The catalogue: complete, unambiguous, and forgiving of how people write."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.photos import PUBLIC, needs_public

from smartbreed.breeds.catalogue import BREEDS, GROUPS, Breed, get_breed, resolve, search

SPELLINGS = [(text, b.id) for b in BREEDS.values() for text in (b.id, b.name, *b.aliases)]


def test_catalogue_holds_12_cats_and_121_dogs_with_unique_names() -> None:
    assert Counter(b.species for b in BREEDS.values()) == {"cat": 12, "dog": 121}
    assert len({b.name for b in BREEDS.values()}) == len(BREEDS) == 133
    assert all(key == b.id for key, b in BREEDS.items())


@needs_public
def test_ids_and_species_are_those_of_the_data() -> None:
    rows = [line.split("\t") for line in (PUBLIC / "breeds.txt").read_text().splitlines()]
    assert [(b.species, b.id) for b in BREEDS.values()] == [(species, key) for species, key in rows]


def test_every_breed_is_in_one_group_of_its_species_and_no_group_has_one_breed() -> None:
    sizes = Counter(b.group for b in BREEDS.values())
    assert set(sizes) == set(GROUPS)
    assert min(sizes.values()) >= 2
    assert all(GROUPS[b.group].species == b.species for b in BREEDS.values())


def test_groups_read_as_sentences_and_share_no_id_with_a_breed() -> None:
    assert not set(GROUPS) & set(BREEDS)
    for key, group in GROUPS.items():
        assert key == group.id
        assert group.phrase.startswith(("A ", "An "))
        assert group.unclear.endswith("unclear")
    schnauzer = GROUPS["schnauzer"]
    assert f"{schnauzer.phrase}: {schnauzer.unclear}" == "A schnauzer: the size is unclear"


@pytest.mark.parametrize(("text", "breed_id"), SPELLINGS)
def test_every_id_name_and_alias_means_its_own_breed_only(text: str, breed_id: str) -> None:
    found = resolve(text)
    assert found is not None
    assert found.id == breed_id


@pytest.mark.parametrize(
    ("text", "breed_id"),
    [
        ("sheltie", "shetland_sheepdog"),
        ("WESTIE", "west_highland_white_terrier"),
        ("Alsatian", "german_shepherd"),
        ("épagneul breton", "brittany_spaniel"),
        ("Epagneul-Breton", "brittany_spaniel"),
        ("St. Bernard", "saint_bernard"),
        ("shih-tzu", "shih_tzu"),
        ("siamese cat", "siamese"),
        ("Beagle dog", "beagle"),
        ("gamekeeper\u2019s night dog", "bull_mastiff"),
    ],
)
def test_resolve_understands_how_people_write(text: str, breed_id: str) -> None:
    found = resolve(text)
    assert found is not None
    assert found.id == breed_id


@pytest.mark.parametrize("text", ["", "  ", "!?", "terrier", "schnauzer", "zebra", "beagle cat", "dog", "\0"])
def test_resolve_does_not_guess(text: str) -> None:
    assert resolve(text) is None


@given(
    st.sampled_from(SPELLINGS),
    st.sampled_from([str.lower, str.upper, str.title, str.swapcase, str.casefold]),
    st.text(alphabet=" -_.,;:!?()/\u2019'\t\n", max_size=3),
    st.sampled_from([" ", "-", "_", "", " - ", "\u2010"]),
)
def test_resolve_ignores_case_and_punctuation(spelling, case, around, joint) -> None:  # type: ignore[no-untyped-def]
    text, breed_id = spelling
    found = resolve(around + joint.join(case(text).split()) + around)
    assert found is not None
    assert found.id == breed_id


@given(st.text(), st.integers(-2, 200))
def test_nothing_that_can_be_typed_raises(text: str, limit: int) -> None:
    found = search(text, limit)
    assert len(found) <= max(limit, 0)
    assert len({b.id for b in found}) == len(found)
    first = resolve(text)
    assert first is None or len(text) > 80 or limit < 1 or found[0] == first
    assert get_breed(text).id == text


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("golden", "golden_retriever"),  # exact alias
        ("bosto", "boston_bull"),  # prefix
        ("highland", "west_highland_white_terrier"),  # a word's prefix
        ("setter gordon", "gordon_setter"),  # words in any order
        ("pinscher mini", "miniature_pinscher"),
        ("hasa", "lhasa"),  # inside
        ("chihuaua", "chihuahua"),  # typing errors
        ("labradr", "labrador_retriever"),
        ("dobberman", "doberman"),
        ("xoloitzquintle", "mexican_hairless"),
        ("husky dog", "siberian_husky"),
    ],
)
def test_search_puts_the_likeliest_first(text: str, first: str) -> None:
    assert search(text)[0].id == first


def test_search_ranks_before_it_cuts() -> None:
    found = [b.name for b in search("pem", limit=2)]
    assert found[0] == "Pembroke Welsh Corgi"
    assert {b.group for b in search("shnauzer")} == {"schnauzer"}
    assert len(search("shnauzer")) == 3
    assert search("a" * 10_000) == []
    assert len(search("terrier")) == 10


def test_a_name_without_letters_is_meant_by_itself_only() -> None:
    names = ("\U0001f436", "\U0001f431")
    dog, cat = (Breed(f"label_{n}", name, (), "dog", "") for n, name in enumerate(names))
    for text in ("", " ", "???", "\U0001f43e"):
        assert resolve(text, [dog, cat]) is None
    assert resolve(" \U0001f436 ", [cat, dog]) == dog
    assert resolve("label 1", [cat, dog]) == cat
    assert resolve("pug", [cat, dog]) == BREEDS["pug"]


def test_labels_of_other_models_become_readable() -> None:
    assert get_breed("boston_bull").name == "Boston Terrier"
    other = Breed("turkish_van-cat", "Turkish Van Cat", (), "cat", "")
    assert get_breed("turkish_van-cat", species="cat") == other
    assert get_breed("beagle", species="cat").species == "dog"
    assert get_breed("").name == ""


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        BREEDS["pug"] = BREEDS["beagle"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        BREEDS["pug"].name = "Mops"  # type: ignore[misc]
