"""Measure how well pets are found in wide, tall and large photos: ``python -m benchmarks.small_pets``.

Each photograph of the scenes test split, which nothing was trained on, is placed in a larger picture beside
held-back photographs without a pet. The tables compare answers without and with tiles
(`smartbreed.inference.tiles`): in how many photographs all pets are found (IoU of the boxes at least 0.5), in
how many pet-less ones something is detected, and how long it takes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.photographs import DATA
from smartbreed.core.settings import load_settings
from smartbreed.imaging.photo import Photo
from smartbreed.inference.boxes import iou
from smartbreed.inference.pipeline import Identifier
from smartbreed.registry import open_bundle
from training.data.scenes import Scene, load_scenes, split_scenes

#: Width and height of a large photo, and the short side of a strip, in pixels.
LARGE, STRIP = (2400, 1800), 400
#: A composed picture and the boxes of its pets.
Composed = tuple[Image.Image, np.ndarray]


def covered(size: tuple[int, int], scene: Scene) -> Image.Image:
    """Scale and crop a photograph so that it covers ``size``."""
    picture = Image.fromarray(scene.image)
    factor = max(size[0] / picture.width, size[1] / picture.height)
    width, height = size[0] / factor, size[1] / factor
    left, top = max(0.0, picture.width - width) / 2, max(0.0, picture.height - height) / 2
    return picture.resize(
        size,
        Image.Resampling.BICUBIC,
        box=(left, top, min(left + width, picture.width), min(top + height, picture.height)),
    )


def one_of(scenes: Sequence[Scene], rng: np.random.Generator) -> Scene:
    """Choose a random scene."""
    return scenes[int(rng.integers(len(scenes)))]


def panorama(size: tuple[int, int], empty: Sequence[Scene], rng: np.random.Generator) -> Image.Image:
    """Fill a strip of ``size`` with pet-less photographs in a row or a column."""
    picture, at, upright = Image.new("RGB", size), 0, size[1] > size[0]
    short, long = min(size), max(size)
    while at < long:
        part = covered((short, short) if upright else (round(short * 1.4), short), one_of(empty, rng))
        picture.paste(part, (0, at) if upright else (at, 0))
        at += part.height if upright else part.width
    return picture


def with_photo(
    picture: Image.Image, scene: Scene, size: tuple[int, int], rng: np.random.Generator
) -> Composed:
    """Paste ``scene`` at ``size`` at a random position of ``picture``."""
    left = int(rng.integers(0, picture.width - size[0] + 1))
    top = int(rng.integers(0, picture.height - size[1] + 1))
    picture.paste(Image.fromarray(scene.image).resize(size, Image.Resampling.BICUBIC), (left, top))
    height, width = scene.image.shape[:2]
    factors = np.array([size[0] / width, size[1] / height] * 2)
    return picture, scene.boxes * factors + np.array([left, top] * 2)


def strips(
    width: int, height: int, pets: Sequence[Scene], empty: Sequence[Scene], rng: np.random.Generator
) -> Iterator[Composed]:
    """Yield each photograph in a strip of ratio ``width``:``height``, scaled to the strip's short side."""
    size = (STRIP * width // min(width, height), STRIP * height // min(width, height))
    for scene in pets:
        rows, columns = scene.image.shape[:2]
        factor = STRIP / (columns if height > width else rows)
        part = (min(size[0], round(columns * factor)), min(size[1], round(rows * factor)))
        yield with_photo(panorama(size, empty, rng), scene, part, rng)


def small(
    share: float, pets: Sequence[Scene], empty: Sequence[Scene], rng: np.random.Generator
) -> Iterator[Composed]:
    """Yield each photograph in a large photo, with its longest side at ``share`` of the large photo's."""
    for scene in pets:
        rows, columns = scene.image.shape[:2]
        factor = LARGE[0] * share / max(rows, columns)
        background = covered(LARGE, one_of(empty, rng))
        yield with_photo(background, scene, (round(columns * factor), round(rows * factor)), rng)


def usual(pets: Sequence[Scene]) -> Iterator[Composed]:
    """Yield the photographs unchanged."""
    for scene in pets:
        yield Image.fromarray(scene.image), scene.boxes


def without_pets(empty: Sequence[Scene], size: tuple[int, int] | None) -> Iterator[Composed]:
    """Yield the pet-less photographs, scaled and cropped to ``size``; None leaves them unchanged."""
    for scene in empty:
        yield (covered(size, scene) if size else Image.fromarray(scene.image)), np.zeros((0, 4))


def panoramas(size: tuple[int, int], empty: Sequence[Scene], rng: np.random.Generator) -> Iterator[Composed]:
    """Yield as many pet-less strips as there are pet-less photographs."""
    for _ in empty:
        yield panorama(size, empty, rng), np.zeros((0, 4))


def score(identifier: Identifier, pictures: Iterator[Composed], tiles: bool) -> tuple[float, float]:
    """Return the share of pictures with a hit, 0…1, and the median ms.

    A hit means that all pets are found; in a pet-less picture, that anything is detected.
    """
    hits, times = [], []
    for picture, boxes in pictures:
        photo = Photo(np.asarray(picture), "", "")
        started = time.perf_counter()
        found = identifier.identify(photo, tiles=tiles).pets
        times.append((time.perf_counter() - started) * 1000)
        if not len(boxes):
            hits.append(bool(found))
        else:
            seen = np.array([pet.box for pet in found]).reshape(-1, 4)
            hits.append(bool(len(seen)) and bool((iou(boxes, seen).max(axis=1) >= 0.5).all()))
    return float(np.mean(hits)), statistics.median(times)


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with scenes.")] = DATA,
    photos: Annotated[int, typer.Option(help="Photographs at most in each row.")] = 200,
    seed: Annotated[int, typer.Option(help="Where each photograph is put.")] = 0,
) -> None:
    """Print the tables."""
    identifier = Identifier(open_bundle(load_settings()))
    pets = [scene for scene in load_scenes(data, "test") if scene.kind != "negative"][:photos]
    held = split_scenes(load_scenes(data, "train"))[1]
    empty = [scene for scene in held if scene.kind == "negative"][:photos]

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    rows: list[tuple[str, Callable[[], Iterator[Composed]]]] = [
        ("as it is", lambda: usual(pets)),
        ("8:1", lambda: strips(8, 1, pets, empty, rng())),
        ("15:1", lambda: strips(15, 1, pets, empty, rng())),
        ("1:8", lambda: strips(1, 8, pets, empty, rng())),
        ("0.2 of a large photo's side", lambda: small(0.2, pets, empty, rng())),
        ("0.15", lambda: small(0.15, pets, empty, rng())),
        ("0.125", lambda: small(0.125, pets, empty, rng())),
        ("0.1", lambda: small(0.1, pets, empty, rng())),
    ]
    alarms: list[tuple[str, Callable[[], Iterator[Composed]]]] = [
        ("as it is", lambda: without_pets(empty, None)),
        (f"enlarged to {LARGE[0]} × {LARGE[1]}", lambda: without_pets(empty, LARGE)),
        ("15:1", lambda: panoramas((15 * STRIP, STRIP), empty, rng())),
        ("1:8", lambda: panoramas((STRIP, 8 * STRIP), empty, rng())),
    ]
    console = Console(width=110)
    for title, of in (
        (f"{len(pets)} photographs with a pet: found", rows),
        (f"{len(empty)} without: seen one all the same", alarms),
    ):
        table = Table(title=title)
        for heading in ("", "without tiles", "with tiles", "ms without", "ms with"):
            table.add_column(heading, justify="right" if heading else "left")
        for name, pictures in of:
            before, after = (score(identifier, pictures(), tiles) for tiles in (False, True))
            table.add_row(name, f"{before[0]:.1%}", f"{after[0]:.1%}", f"{before[1]:.0f}", f"{after[1]:.0f}")
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
