"""Photos that are said to show one pet, and do not look like it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.photos import needs_public, opened, pet_scenes
from test_sentences import answer, pet

from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.inference.results import Guess, Identification
from smartbreed.services import Services
from smartbreed.web.components.templates import html
from smartbreed.web.pages.identify.session import Disagreement, Options, disagreement, identify_uploads

PUG = replace(pet(), breeds=(Guess("pug", "Pug", 0.9),))
CAT = pet("unknown", species="cat")


@pytest.mark.parametrize(
    ("pets", "found"),
    [
        ([pet(), pet(), pet("unknown")], None),
        ([pet(), PUG, pet()], Disagreement(("Border Terrier", "Pug"), species=False)),
        ([pet("group"), CAT, PUG], Disagreement(("Schnauzer", "Cat", "Pug"), species=True)),
        ([pet("group"), pet("group", group="poodle")], None),
    ],
)
def test_species_and_named_breeds_must_agree(pets: list, found: Disagreement | None) -> None:
    assert disagreement([answer(one) for one in pets] + [answer()]) == found


def test_it_warns_and_says_what_each_shows() -> None:
    shown = html.status(answer(pet()), Disagreement(("Schnauzer", "Cat"), species=True))
    assert "do not show the same pet: Schnauzer, Cat." in shown
    shown = html.status(answer(pet()), Disagreement(("<b>", "Pug"), species=False))
    assert "may not show the same pet: &lt;b&gt;, Pug." in shown
    assert "sb-warning" not in html.status(answer(pet()))


@needs_public
def test_two_dogs_and_a_cat_are_no_cat_with_dark_points(tmp_path: Path) -> None:
    if not (EMBEDDED_BUNDLE / "config.json").is_file():
        pytest.skip("no model in smartbreed/assets")
    files = []
    for number, row in enumerate(pet_scenes(3)):  # a dog, a cat and a dog
        files.append((str(tmp_path / f"{number}.jpg"), f"{number}.jpg"))
        opened(row).save(files[-1][0])
    services = Services(load_settings(home=tmp_path / "home", hub="embedded", model="", gallery=""))
    session, _ = identify_uploads(services, files, Options(combine=True))
    assert session.apart is not None
    assert session.apart.species
    assert len(session.views) == 3
    assert all(isinstance(v.answer, Identification) and v.answer.combined == 1 for v in session.views)
    same, _ = identify_uploads(services, files[:1] * 2, Options(combine=True))
    assert same.apart is None
    assert same.views[0].answer.combined == 2
