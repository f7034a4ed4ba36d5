"""Pictures that a tiny network learns in seconds: each class has a colour and a stripe of its own."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from support.photos import write_pets

#: ImageNet's ids of dogs, by label; label 0 is a cat.
WNIDS = ("", "n02110958", "n02088364", "n02085620", "n02099601")
COLOURS = ((210, 60, 50), (60, 190, 80), (60, 80, 210), (210, 200, 60), (190, 70, 200))


def picture(label: int, number: int, size: int = 48) -> np.ndarray:
    """uint8 ``(size, size, 3)``: the label's colour, noise, and a blob that makes each picture its own."""
    rng = np.random.default_rng((label, number))
    image = np.full((size, size, 3), COLOURS[label % len(COLOURS)], np.float32)
    image[:: 4 + label] *= 0.6
    blobs = rng.uniform(0, 80, (6, 6, 3)).astype(np.float32)
    image += np.asarray(Image.fromarray(blobs.astype(np.uint8)).resize((size, size)), np.float32) - 40
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def image_folder(folder: Path, labels: tuple[str, ...] = ("ant", "bee", "cow"), count: int = 12) -> Path:
    """``LABEL/NN.png``."""
    for label, name in enumerate(labels):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / name / f"{number:02d}.png").write_bytes(encoded(picture(label, number)))
    return folder


def scene(number: int, pets: int) -> dict[str, Any]:
    """A grey photograph with coloured rectangles for pets."""
    rng = np.random.default_rng((7, number))
    image = rng.integers(90, 160, (60, 90, 3)).astype(np.uint8)
    boxes, species = [], []
    for pet in range(pets):
        x, y = int(5 + 40 * pet + rng.integers(5)), int(8 + rng.integers(10))
        kind = int((number + pet) % 2)
        image[y : y + 30, x : x + 32] = COLOURS[kind]
        boxes.append([float(v) for v in (x, y, x + 32, y + 30)])
        species.append(kind)
    return {
        "image": {"bytes": encoded(image), "path": f"{number}.png"}, "boxes": boxes, "species": species,
        "kind": "negative" if not pets else ("cat", "dog")[species[0]], "origin": "human",
    }  # fmt: skip


def pets_dataset(folder: Path, breeds: tuple[str, ...] = ("siamese", "pug", "beagle")) -> Path:
    """A dataset folder like ../shared/data/pets: configurations ``breeds`` and ``scenes``, train and test."""
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {"breeds": {}, "scenes": {}}
    for split, first, count in (("train", 0, 24), ("test", 100, 5)):
        rows["breeds"][split] = [
            {"image": {"bytes": encoded(picture(label, number)), "path": None}, "breed": label,
             "species": int(label > 0),
             "source_id": f"{WNIDS[label]}/{WNIDS[label]}_{number}.jpg" if label else f"cat_{number}.jpg"}
            for label in range(len(breeds))
            for number in range(first, first + count)
        ]  # fmt: skip
        rows["scenes"][split] = [scene(n, n % 3) for n in range(first, first + count)]
    return write_pets(folder, list(breeds), rows)
