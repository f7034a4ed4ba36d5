"""Example pictures: from a dataset where one is set, gradio's own otherwise, and never an error."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from smartbreed.core.settings import load_settings
from smartbreed.web.pages.identify.examples import Examples, shipped


def test_without_a_dataset_they_are_what_gradio_ships_and_labelled_honestly(tmp_path: Path) -> None:
    heading, found = Examples(load_settings(home=tmp_path, gallery="")).get()
    assert "no pet" in heading
    assert found == shipped()
    assert all(Path(path).is_file() for path, _ in found)


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
