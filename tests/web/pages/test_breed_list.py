"""What the lists of breeds offer: every breed under its name and every alias."""

from __future__ import annotations

import unicodedata

import gradio as gr
import pytest

from smartbreed.breeds.catalogue import BREEDS, Breed, get_breed
from smartbreed.inference.results import Guess
from smartbreed.web.components.breed_list import (
    CSS_CLASS,
    breed_choices,
    breed_dropdown,
    breed_text,
    catalogue,
)
from smartbreed.web.components.sentences import percent


def found(choices: list[tuple[str, str]], typed: str) -> list[str]:
    """What gradio's dropdown keeps: the choices whose text contains what is typed."""
    return [breed for text, breed in choices if typed.lower() in text.lower()]


LIKELY = (Guess("cocker_spaniel", "English Cocker Spaniel", 0.91), Guess("beagle", "Beagle", 0.05))
LISTS = {
    "plain": breed_choices(catalogue()),
    "likeliest first": breed_choices(catalogue(), [Guess(b.id, b.name, 0.1) for b in BREEDS.values()]),
}


@pytest.mark.parametrize("choices", LISTS.values(), ids=LISTS)
def test_every_name_and_alias_finds_its_breed(choices: list[tuple[str, str]]) -> None:
    assert len(choices) == len(BREEDS)
    for breed in BREEDS.values():
        for term in (breed.name, *breed.aliases):
            assert breed.id in found(choices, term), term
            plain = unicodedata.normalize("NFKD", term.replace("ß", "ss")).encode("ascii", "ignore").decode()
            assert breed.id in found(choices, plain), plain


def test_the_likeliest_come_first_and_keep_their_aliases() -> None:
    breed = get_breed("cocker_spaniel")
    choices = breed_choices(catalogue(), LIKELY)
    assert [value for _, value in choices[:2]] == ["cocker_spaniel", "beagle"]
    assert percent(0.91) in choices[0][0]
    for alias in breed.aliases:
        assert found(choices, alias)[0] == "cocker_spaniel"
    assert len(choices) == len(BREEDS)


def test_new_breeds_come_after_the_likeliest() -> None:
    new = Breed("mudi", "Mudi", (), "dog", "")
    choices = breed_choices(catalogue(), LIKELY, [new])
    assert choices[2] == ("Mudi · new", "mudi")
    assert breed_choices(catalogue(), [Guess("mudi", "Mudi", 0.5)], [new])[0] == (
        f"Mudi · {percent(0.5)}",
        "mudi",
    )


def test_a_label_that_the_catalogue_lacks_is_offered() -> None:
    assert breed_choices(catalogue(), [Guess("thing", "Thing", 0.5)])[0] == (
        f"Thing · {percent(0.5)}",
        "thing",
    )


def test_texts() -> None:
    assert breed_text("Pug") == "Pug"
    assert breed_text("Pug", ("Carlin", "Mops"), "91%") == "Pug · 91% (Carlin, Mops)"
    assert breed_text("Papillon", ("Phalène",)) == "Papillon (Phalène, Phalene)"


def test_every_breed_list_of_the_pages_is_made_here() -> None:
    """A dropdown with a breed to choose has the class by which its search works."""
    from pathlib import Path

    import smartbreed.web.components as ui

    with gr.Blocks():
        assert breed_dropdown([], elem_classes="x").elem_classes == [CSS_CLASS, "x"]
    pages = Path(ui.__file__).parent.glob("*.py")
    lines = [line for page in pages for line in page.read_text().splitlines() if "gr.Dropdown(" in line]
    assert not [line for line in lines if "breed" in line.split("=")[0]]
