"""The model that ships does on real photographs what its card says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from support.photos import needs_public, rows

from smartbreed.breeds.catalogue import BREEDS
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.pipeline import Identifier


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier.load(EMBEDDED_BUNDLE)


def sample(config: str, count: int) -> list[dict]:
    """Some of the pictures with a pet, from all over the split."""
    found = [row for row in rows(config) if row.get("kind") != "negative"]
    return found[:: max(1, len(found) // count)][:count]


def test_the_bundle_is_small_and_complete() -> None:
    bundle = load_bundle(EMBEDDED_BUNDLE)
    assert sum(p.stat().st_size for p in EMBEDDED_BUNDLE.iterdir()) <= 32e6
    for name in ("classifier.tflite", "detector.tflite", "classifier.weights.h5", "detector.weights.h5",
                 "replay.npz", "README.md"):  # fmt: skip
        assert bundle.path(name).is_file()
    assert [label.id for label in bundle.config.classifier.labels] == list(BREEDS)
    assert {label.group for label in bundle.config.classifier.labels} == {b.group for b in BREEDS.values()}


@needs_public
def test_crops_are_named(identifier: Identifier) -> None:
    some = sample("breeds", 300)
    side = identifier.classifier.config.input_size
    pictures = [Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB") for row in some]
    crops = [np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR)) for picture in pictures]
    logits = np.stack([identifier.classifier.run(crop).logits for crop in crops])
    labels = np.array([row["breed"] for row in some])
    # Three standard deviations below what the card measures on all of the split.
    assert (logits.argmax(1) == labels).mean() >= 0.80
    assert (np.argsort(-logits, 1)[:, :5] == labels[:, None]).any(1).mean() >= 0.96


def test_pets_of_whole_photographs_are_found(identifier: Identifier) -> None:
    some = sample("scenes", 40)
    found = species = 0
    for row in some:
        answer = identifier.identify(read_photo(row["image"]["bytes"]))
        found += bool(answer.pets)
        species += bool(answer.pets) and answer.pets[0].species == ("cat", "dog")[row["species"][0]]
    assert found >= 38
    assert species >= 38


def test_two_pets_in_one_photo_are_two_pets(identifier: Identifier) -> None:
    photos = [Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB") for row in sample("scenes", 12)]
    right = 0
    for first, second in zip(photos[::2], photos[1::2], strict=True):
        both = Image.new("RGB", (640, 320))
        both.paste(first.resize((320, 320)), (0, 0))
        both.paste(second.resize((320, 320)), (320, 0))
        boxes = [pet.box for pet in identifier.identify(read_photo(both)).pets]
        right += any(b[2] < 360 for b in boxes) and any(b[0] > 280 for b in boxes)
    assert right >= 5


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (120, 160, 90)])
def test_an_empty_picture_has_no_pet(identifier: Identifier, colour: tuple[int, int, int]) -> None:
    assert identifier.identify(read_photo(Image.new("RGB", (400, 300), colour))).pets == ()
