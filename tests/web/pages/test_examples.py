"""Example pictures: from a dataset where one is set, else the cat that ships; never an error."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from smartbreed.core.settings import load_settings
from smartbreed.inference.results import Identification
from smartbreed.services import Services
from smartbreed.web.pages.identify.examples import Examples, shipped


def test_without_a_dataset_it_is_a_pet_that_the_model_finds(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, gallery="")
    found = Examples(settings).get()[1]
    assert found == shipped()
    services = Services(settings)
    for path, _ in found:
        assert Path(path).stat().st_size < 40_000
        answer = services.identify(Path(path))
        assert isinstance(answer, Identification)
        assert [pet.species for pet in answer.pets] == ["cat"]


def test_the_licence_lies_beside_each_picture_that_ships() -> None:
    for path, _ in shipped():
        licence = Path(path).with_name("LICENSE.md").read_text(encoding="utf-8")
        assert Path(path).name in licence
        assert "CC0" in licence


def test_a_model_of_other_things_is_shown_no_pet(tmp_path: Path) -> None:
    assert Examples(load_settings(home=tmp_path, gallery=""), pets=False).get()[1] == []


@pytest.mark.parametrize("gallery", ["/nowhere/at/all", "."])
def test_a_dataset_that_cannot_be_read_never_fails_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gallery: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert Examples(load_settings(home=tmp_path / "home", gallery=gallery)).get()[1] == shipped()


def test_a_local_dataset_is_shown_with_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    for breed in ("pug", "boston_bull"):
        folder = tmp_path / "gallery" / "train" / breed
        folder.mkdir(parents=True)
        Image.open(gr.get_image("lion.jpg")).save(folder / "1.jpg")
    examples = Examples(load_settings(home=tmp_path / "home", gallery=str(tmp_path / "gallery")))
    heading, found = examples.get()
    assert heading == "Or try one of these"
    assert {caption for _, caption in found} == {"Pug", "Boston Terrier"}
    assert all(Path(path).is_relative_to(tmp_path / "home") for path, _ in found)
    assert examples.get() == (heading, found)
