"""What people read, and that nothing they send can break the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smartbreed.core.errors import PhotoError
from smartbreed.inference.results import Guess, Identification, ModelVersion, Pet, Verdict
from smartbreed.web.components.sentences import count, found, percent, sentence, short_name
from smartbreed.web.components.templates import html
from smartbreed.web.pages.identify.flag_form import remembered
from smartbreed.web.pages.identify.photo_input import uploads

EMPTY = np.zeros(0, np.float32)


def pet(
    verdict: Verdict = "breed", probability: float = 0.9, group: str = "schnauzer", species: str = "dog"
) -> Pet:
    breeds = (Guess("border_terrier", "Border Terrier", probability), Guess("pug", "Pug", 1 - probability))
    return Pet(
        (0, 0, 9, 9), (0, 0, 9, 9), 0.9, species, verdict, breeds, Guess(group, group.title(), 0.8),
        EMPTY, EMPTY, EMPTY,
    )  # fmt: skip


def answer(*pets: Pet, **changes: object) -> Identification:
    plain = Identification(
        "rex.jpg", "0" * 64, 90, 90, pets, ModelVersion("embedded", "a" * 40, "1.0.0"), 12.4
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (pet(), "Border Terrier, quite sure"),
        (pet(probability=0.7), "Border Terrier, probably"),
        (pet(probability=0.4), "Border Terrier, perhaps"),
        (pet("group"), "A schnauzer; the size is unclear"),
        (pet("group", group="pug"), "Possibly Pug, but I am not certain"),
        (pet("unknown", species="cat"), "A cat, but no breed I know"),
        (replace(pet("unknown"), reason="dark"), "A dog; too dark to tell the breed"),
        (
            replace(pet("unknown"), reason="other"),
            "This looks like an animal, but not like a dog or cat I know",
        ),
    ],
)
def test_sentence(shown: Pet, said: str) -> None:
    assert sentence(shown) == said


def test_short_names_fit_beside_a_box() -> None:
    assert short_name(pet()) == "Border Terrier"
    assert short_name(pet("group")) == "Schnauzer"
    assert short_name(pet("unknown", species="cat")) == "Cat"
    assert short_name(replace(pet("unknown"), reason="other")) == "Another animal"


def test_how_many_were_found() -> None:
    assert found(answer()) == "No pet found"
    assert found(answer(pet())) == "One pet found"
    assert found(answer(pet(), pet())) == "Two pets found"
    assert found(answer(pet(), whole=True)) == "The whole picture, treated as one pet"
    assert found(answer(pet(), combined=3)) == "Three photos, one answer"
    assert count(25) == "25"


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "0 %"), (0.001, "< 1 %"), (0.624, "62 %"), (0.9999, "> 99 %"), (1.0, "100 %")],
)
def test_percent_never_claims_certainty(probability: float, text: str) -> None:
    assert percent(probability) == text


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "{{constructor}}", "${alert(1)}", '"><img src=x>']
)
def test_nothing_from_outside_becomes_markup(evil: str) -> None:
    fragments = [
        html.failure(PhotoError("damaged", evil), evil),
        html.status(answer(pet(), image=evil)),
        html.pet_name(replace(pet(), breeds=(Guess(evil, evil, 0.9),)), 1),
        html.pet_text(replace(pet(), breeds=(Guess(evil, evil, 0.9),)), 1),
        html.caption(evil, evil),
        html.footer(answer(model=ModelVersion(evil, evil, evil)), ""),
    ]
    for fragment in fragments:
        assert evil not in fragment
        assert "<script" not in fragment
        assert "<img" not in fragment
        assert "{{" not in fragment
        assert "${" not in fragment


@pytest.mark.parametrize(
    "stored", [None, "x", 3, [], {}, {"token": 5}, {"token": "short"}, {"token": "x" * 999}]
)
def test_what_a_browser_remembers_may_be_anything(stored: object) -> None:
    assert remembered(stored) == (False, "")


def test_what_a_browser_remembers() -> None:
    assert remembered({"consent": True, "token": "t" * 32}) == (True, "t" * 32)
    assert remembered({"token": "member 01ARZ3NDEKTSV4RRFFQ69G5FAV"}) == (False, "")
    assert remembered({"consent": "yes", "token": "t" * 32}) == (False, "t" * 32)


def test_uploads_keep_the_file_and_its_name() -> None:
    assert uploads(None) == ()
    assert uploads([("/tmp/gradio/abc/rex.heic", None)]) == (("/tmp/gradio/abc/rex.heic", "rex.heic"),)
