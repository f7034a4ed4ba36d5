"""Served with a model of other things than pets, the pages speak of what it tells apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from support.bundles import make_bundle
from support.processes import Server

from docs.messages import placeholders, sentences
from smartbreed.core.settings import load_settings
from smartbreed.i18n import about_things, gettext, ngettext, of_things, script_sentences, speaking, translated
from smartbreed.i18n.things import PLURAL_TWINS, SCRIPT_TWINS, TWINS
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.pages.identify.page import IdentifyPage

#: What is only said of pets; a path or an id is no word.
OF_PETS = re.compile(r"(?<![\w/#-])(breeds?|pets?|cats?|dogs?|famil(y|ies)|crossbreed)(?![\w-])", re.I)
TAG = re.compile(r"</?[a-z][^>]*>")


def of_flowers(config: dict[str, Any]) -> None:
    config.update(name="flowers", detector=None)
    config["classifier"]["labels"] = [{"id": f"flower_{n}", "name": f"Flower {n}"} for n in range(133)]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("things") / "bundle", "1.0.0", change=of_flowers)


def test_twins_hold_the_same_values_and_stand_for_what_is_said() -> None:
    said = {one.text for one in sentences() if one.file != "smartbreed/i18n/things.py"}
    for pets, things in TWINS.items():
        assert pets in said, "nothing says that any more"
        assert placeholders(pets) == placeholders(things), things
        assert sorted(TAG.findall(pets)) == sorted(TAG.findall(things)), things
        assert not OF_PETS.search(TAG.sub("", re.sub(r"%\(\w+\)s", "", things))) or "animals" in things, (
            things
        )
    for pair, twins in PLURAL_TWINS.items():
        assert pair in said
        assert placeholders(pair[1]) == placeholders(twins[1])
    assert {one.text for one in sentences() if one.kind == "script"} >= set(SCRIPT_TWINS)


def test_a_twin_is_said_of_things_alone_in_every_language() -> None:
    assert not of_things()
    assert gettext("Wrong breed") == translated("Wrong breed") == "Wrong breed"
    assert script_sentences("en") == {}
    with about_things(True):
        assert gettext("Wrong breed") == translated("Wrong breed") == "Wrong answer"
        assert gettext("More about the %(breed)s", breed="Tulip") == "More about “Tulip”"
        assert ngettext("%(total)s breed it knows", "%(total)s breeds it knows", 3, total=3) == (
            "The 3 names it knows"
        )
        assert gettext("Save my answer") == "Save my answer"
        assert set(script_sentences("en")) == set(SCRIPT_TWINS)
        with speaking("de"):
            assert gettext("Wrong breed") == translated("Wrong breed") == "Falsche Antwort"
            assert set(script_sentences("de")) > set(SCRIPT_TWINS)
        with about_things(False):
            assert gettext("Wrong breed") == "Wrong breed"
    assert gettext("Wrong breed") == "Wrong breed"


def test_pages_about_breeds_alone_are_not_linked_to() -> None:
    with about_things(True):
        header = nav.header("identify", maintainers=False)
    assert 'data-page="breeds"' in header
    assert "What it knows" in header
    for key in nav.OF_PETS:
        assert f'data-page="{key}"' not in header
        assert f'data-page="{key}"' in nav.header("identify", maintainers=False)


def read_by_people(blocks: gr.Blocks) -> Iterator[str]:
    """What the components of a page show from the start."""
    for block in blocks.blocks.values():
        if getattr(block, "visible", True) is False:
            continue
        for name in ("label", "info", "placeholder", "value"):
            text = getattr(block, name, None)
            if isinstance(text, str):
                yield TAG.sub(" ", text)


def test_the_front_page_names_no_breed(tmp_path: Path, flowers: Path) -> None:
    services = Services(load_settings(home=tmp_path / "home", model=str(flowers)))
    assert services.of_things
    with about_things(services.of_things), gr.Blocks() as blocks:
        page = IdentifyPage(services)
    said = list(read_by_people(blocks))
    assert any("What is it?" in text for text in said)
    missed = {"A pet was missed", "Is it a dog or a cat?"}  # of a form that a model without a detector hides
    assert [text for text in said if OF_PETS.search(text) and text not in missed] == []
    assert page.missed.buttons["missed"].parent.parent.visible is False
    assert page.settings.whole.visible is False


@pytest.mark.slow
@pytest.mark.browser
def test_every_page_is_of_things(flowers: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "server", SMARTBREED_MODEL=str(flowers)) as server:
        for path in ("", "breeds", "breeds/flower_3", "breeds/compare?a=flower_1&b=flower_2", "about"):
            page = httpx.get(server.url + path, headers={"accept": "text/html"}).text
            above = re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL)
            words = TAG.sub(" ", above)
            assert [found[0] for found in OF_PETS.finditer(words)] == [], path
            assert "What your picture shows: named, and explained." in page
        german = httpx.get(server.url, headers={"accept": "text/html", "accept-language": "de"}).text
        assert "Falsche Antwort" in german
        assert "Falsche Rasse" not in german
