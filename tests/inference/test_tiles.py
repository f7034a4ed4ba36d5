"""Pets in very wide or tall photos, small ones in large photos, and many of them."""

from __future__ import annotations

from itertools import islice, pairwise
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PIL import Image
from support.photos import needs_public, opened, pet_scenes, rows

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.imaging.photo import Box, Photo
from smartbreed.inference.boxes import iou
from smartbreed.inference.detector import Detection, Detector
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.tiles import MOST_PIECES, parts, search

WALL = (120, 128, 110)


@pytest.fixture(scope="module")
def shipped() -> Identifier:
    return Identifier.load(EMBEDDED_BUNDLE)


def as_photo(picture: Image.Image) -> Photo:
    return Photo(np.asarray(picture), "", "")


@needs_public
@pytest.mark.parametrize(
    ("size", "side"), [((3000, 200), 200), ((200, 1600), 200), ((1600, 1200), 200), ((1600, 1200), 160)]
)
def test_a_pet_is_found_however_small_its_part_of_the_photo(
    shipped: Identifier, size: tuple[int, int], side: int
) -> None:
    hits = 0
    for number, row in enumerate(pet_scenes(4)):
        pet = opened(row)
        factor = side / max(pet.size)
        small = pet.resize((round(pet.width * factor), round(pet.height * factor)))
        picture = Image.new("RGB", size, WALL)
        at = [
            int((whole - part) * (0.2 + 0.2 * number)) for whole, part in zip(size, small.size, strict=True)
        ]
        picture.paste(small, (at[0], at[1]))
        truth = np.array(row["boxes"]) * factor + np.array(at * 2)
        found = shipped.identify(as_photo(picture)).pets
        hits += bool(found) and iou(truth, np.array([one.box for one in found])).max() >= 0.5
    assert hits >= 3


@needs_public
def test_a_crowd_is_answered_beyond_what_one_look_holds(shipped: Identifier) -> None:
    picture = Image.new("RGB", (1800, 1500), WALL)
    for number, row in enumerate(islice(rows("scenes"), 30)):
        picture.paste(opened(row).resize((290, 290)), (number % 6 * 300, number // 6 * 300))
    (answer,) = shipped.identify_many([as_photo(picture)])
    assert 20 < len(answer.pets) <= 40


def test_photos_of_usual_shape_are_looked_at_once(
    shipped: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    detect = Detector.detect
    monkeypatch.setattr(Detector, "detect", lambda self, *args: looks.append(args) or detect(self, *args))
    shipped.identify(as_photo(Image.new("RGB", (900, 600), WALL)))
    assert len(looks) == 1
    looks.clear()
    shipped.identify(as_photo(Image.new("RGB", (2400, 1800), WALL)))  # nothing to find: the price is bounded
    assert 1 < len(looks) <= 30


@pytest.mark.parametrize(
    "size", [(2400, 1800), (1000, 1000), (1000, 340), (6000, 400), (400, 3300), (80_000, 8)]
)
def test_tiles_cover_the_photo_and_are_few(size: tuple[int, int]) -> None:
    found = parts(*size)
    assert len(found) <= MOST_PIECES
    assert min(x0 for x0, *_ in found) == min(y0 for _, y0, *_ in found) == 0
    assert (max(part[2] for part in found), max(part[3] for part in found)) == pytest.approx(size)
    for (_, _, right, bottom), (left, top, *_) in pairwise(found):
        assert left < right or top < bottom


class Certain:
    """A detector that sees one pet wherever it looks, and is as sure as its number allows.

    Attributes:
        config: with the overlap that `search` reads.
    """

    config = SimpleNamespace(overlap=0.5)

    def __init__(self, score: float) -> None:
        self._score = score

    def detect(self, picture: Image.Image, smallest: float, part: Box | None = None) -> list[Detection]:
        return [Detection((400.0, 400.0, 500.0, 500.0), self._score)]


@pytest.mark.parametrize(("score", "doubted"), [(1.0, 1.0), (0.9, 0.549), (0.0, 0.0)])
def test_a_find_that_is_beyond_doubt_stays_so(score: float, doubted: float) -> None:
    found = search(cast(Detector, Certain(score)), Image.new("RGB", (1200, 1000)), 0.1)
    assert {round(one.score, 3) for one in found} == {doubted}
