"""Decode samples into crops of one size; unreadable samples are left out and listed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from smartbreed.core.errors import PhotoError
from smartbreed.core.files import expanded
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.imaging.photo import Box, read_photo
from smartbreed.inference.boxes import with_margin
from smartbreed.inference.pixels import resample
from training.data.crops import Crops
from training.data.sources import Sample
from training.recipe.recipe import Data

#: Returns the box of the subject of a picture; None for the whole picture.
Finder = Callable[[Image.Image], Box | None]


@dataclass(frozen=True)
class Read:
    """Crops, with facts for the report.

    Attributes:
        crops: every crop that could be made; jittered copies follow their original.
        splits: the source's own split of each crop, or ``""``.
        sizes: width and height of the original picture, int64 ``(count, 2)``.
        copy: True for a jittered copy of another crop, bool ``(count,)``.
        dropped: samples that were left out: ``{"origin": …, "reason": …}``.
    """

    crops: Crops
    splits: list[str]
    sizes: np.ndarray
    copy: np.ndarray
    dropped: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _One:
    sample: Sample
    pixels: list[np.ndarray]
    sha256: str
    size: tuple[int, int]


def read_crops(
    samples: list[Sample],
    labels: list[str],
    data: Data,
    size: int,
    seed: int,
    find: Finder | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> Read:
    """Decode every sample and cut it to ``size``.

    Args:
        samples: samples from `training.data.sources.open_source`.
        labels: label ids by number.
        data: gives the margin, the jitter and the number of jittered copies.
        size: side of the crops in pixels.
        seed: seed of the jitter.
        find: finds the subject of a sample without a box; None uses the whole picture.
        advance: called with the number of further samples that were read.
    """
    numbers = {label: number for number, label in enumerate(labels)}

    def read(job: tuple[int, Sample]) -> _One | dict[str, str]:
        number, sample = job
        if sample.label not in numbers:
            return {"origin": sample.origin, "reason": "It has no label."}
        try:
            return _cut(sample, data, size, np.random.default_rng((seed, number)), find)
        except PhotoError as error:
            return {"origin": sample.origin, "reason": error.message}
        except OSError:
            return {"origin": sample.origin, "reason": "The file could not be read."}

    with ThreadPoolExecutor(4) as pool:
        found = []
        for one in pool.map(read, enumerate(samples)):
            found.append(one)
            advance(1)
    kept = [one for one in found if isinstance(one, _One)]
    flat = [(one, number) for one in kept for number in range(len(one.pixels))]
    images = np.empty((len(flat), size, size, 3), np.uint8)
    for row, (one, number) in enumerate(flat):
        images[row] = one.pixels[number]
    return Read(
        Crops(
            images,
            np.array([numbers[one.sample.label] for one, _ in flat], np.int64),
            np.array([one.sample.species for one, _ in flat], np.int64),
            [one.sample.origin for one, _ in flat],
            [one.sha256 for one, _ in flat],
            labels,
        ),
        [one.sample.split for one, _ in flat],
        np.array([one.size for one, _ in flat], np.int64).reshape(-1, 2),
        np.array([number > 0 for _, number in flat], bool),
        [one for one in found if isinstance(one, dict)],
    )


def _cut(sample: Sample, data: Data, size: int, rng: np.random.Generator, find: Finder | None) -> _One:
    raw = sample.read()
    picture = read_photo(raw).to_pil()
    box = sample.box or (find(picture) if find else None)
    if box is None:
        pixels = [_resized(picture, (0.0, 0.0, float(picture.width), float(picture.height)), size)]
    else:
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= picture.width + 1 and 0 <= y0 < y1 <= picture.height + 1):
            raise PhotoError("damaged", f"Its box lies outside the picture. Received: {list(box)}")
        moved = [box, *(_jittered(box, data.jitter, rng) for _ in range(data.jittered_copies))]
        places = [with_margin(np.array(m), data.margin, picture.width, picture.height) for m in moved]
        pixels = [_resized(picture, place, size) for place in places]
    return _One(sample, pixels, hashlib.sha256(raw).hexdigest(), picture.size)


def _jittered(box: Box, most: float, rng: np.random.Generator) -> Box:
    x0, y0, x1, y1 = box
    moves = rng.uniform(-most, most, 4) * np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
    a, b, c, d = np.maximum(np.array(box) + moves, 0)
    return (float(a), float(b), float(max(c, a + 2)), float(max(d, b + 2)))


def _resized(picture: Image.Image, box: Box, size: int) -> np.ndarray:
    """Resample a crop as the app does; a picture that already has the size is returned unchanged."""
    if picture.size == (size, size) and box == (0.0, 0.0, float(size), float(size)):
        return np.asarray(picture)
    return resample(picture, box, (size, size))


def bundle_folder(name: str) -> Path:
    """Return the folder of a bundle that is given as ``embedded`` or as a folder."""
    return EMBEDDED_BUNDLE if name == "embedded" else expanded(name)


def pet_finder(bundle: str) -> Finder:
    """Return a finder for the best pet of a picture, by the detector of a bundle (``embedded`` or a folder).

    Raises:
        BundleError: the bundle does not exist or does not load.
    """
    from smartbreed.inference.pipeline import Identifier

    identifier = Identifier.load(bundle_folder(bundle))

    def find(picture: Image.Image) -> Box | None:
        found = identifier.detector.detect(picture, 0.3) if identifier.detector else []
        return found[0].box if found else None

    return find
