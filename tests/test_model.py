"""SmartBreed as a Python package: the examples of the README and of the docstrings."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.processes import ROOT, run

import smartbreed
from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return smartbreed.load()


def test_the_example_of_the_readme(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = re.findall(r"```python\n(import smartbreed\n.*?)```", (ROOT / "README.md").read_text(), re.S)
    shutil.copy(photo, tmp_path / "rex.jpg")
    monkeypatch.chdir(tmp_path)
    shown: list[tuple[object, ...]] = []
    exec(example, {"print": lambda *words: shown.append(words)})
    assert {words[0] for words in shown} <= {"cat", "dog"}
    assert shown
    with Image.open(tmp_path / "why.jpg") as picture:
        assert max(picture.size) == 320


def test_a_path_bytes_and_a_picture_are_one_photo(model: Model, photo: Path) -> None:
    answers = [model.identify(source) for source in (photo, str(photo), photo.read_bytes())]
    with Image.open(photo) as picture:
        answers.append(model.identify(picture))
    assert len({str([pet.as_dict() for pet in answer.pets]) for answer in answers}) == 1
    assert answers[0].as_dict()["model"]["repo"] == "embedded"


def test_what_cannot_be_used_is_an_error(model: Model, photo: Path) -> None:
    with pytest.raises(PhotoError) as caught:
        model.identify(b"no photo")
    assert caught.value.code == "unsupported_format"
    with pytest.raises(RequestError, match="Received: pet 99"):
        model.explain(photo, 99)
    with pytest.raises(RequestError):
        model.explain(photo, breed="dragon")


def test_importing_costs_nothing() -> None:
    code = "import sys; before = set(sys.modules); import smartbreed; print(*set(sys.modules) - before)"
    done = run("-c", code, check=True)
    loaded = {name for name in done.stdout.split() if name.split(".")[0] not in sys.stdlib_module_names}
    assert loaded == {"smartbreed"}
