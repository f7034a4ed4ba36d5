"""Read the training photographs: a folder or a Hub repo that `datasets` understands."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

#: Shares never trained on, to calibrate on: of the crops, of the scenes with pets, of those without.
HELD_BACK, HELD_BACK_PETS, HELD_BACK_NEGATIVES = 0.05, 0.1, 0.25


@dataclass(frozen=True)
class Crops:
    """Pictures cut to one pet each.

    Attributes:
        images: uint8 ``(count, size, size, 3)``.
        labels: index into ``names``, int64 ``(count,)``.
        species: 0 cat, 1 dog, int64 ``(count,)``.
        sources: name of the original file, one a picture.
        hashes: sha256 of the encoded picture, one a picture.
        names: breed ids in label order.
    """

    images: np.ndarray
    labels: np.ndarray
    species: np.ndarray
    sources: list[str]
    hashes: list[str]
    names: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Crops:
        return Crops(
            self.images[index],
            self.labels[index],
            self.species[index],
            [self.sources[i] for i in index],
            [self.hashes[i] for i in index],
            self.names,
        )


@dataclass(frozen=True)
class Scene:
    """A whole photograph: RGB uint8 ``(height, width, 3)``, boxes ``(n, 4)`` as x0, y0, x1, y1 in pixels."""

    image: np.ndarray
    boxes: np.ndarray
    species: np.ndarray
    kind: str
    origin: str
    sha256: str


def _rows(root: str, config: str, split: str) -> tuple[Any, list[dict[str, Any]]]:
    from datasets import Image as ImageFeature
    from datasets import load_dataset

    dataset = load_dataset(root, config, split=split)
    features = dataset.features
    return features, list(dataset.cast_column("image", ImageFeature(decode=False)))


def _decode(row: dict[str, Any]) -> np.ndarray:
    with Image.open(io.BytesIO(row["image"]["bytes"])) as picture:
        return np.asarray(picture.convert("RGB"))


def load_crops(root: str, split: str) -> Crops:
    """The ``breeds`` configuration of the dataset at ``root``."""
    features, rows = _rows(root, "breeds", split)
    with ThreadPoolExecutor(4) as pool:
        images = np.stack(list(pool.map(_decode, rows)))
    return Crops(
        images,
        np.array([row["breed"] for row in rows]),
        np.array([row["species"] for row in rows]),
        [row["source_id"] for row in rows],
        [hashlib.sha256(row["image"]["bytes"]).hexdigest() for row in rows],
        list(features["breed"].names),
    )


def load_scenes(root: str, split: str) -> list[Scene]:
    """The ``scenes`` configuration of the dataset at ``root``."""
    _, rows = _rows(root, "scenes", split)
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(_decode, rows))
    return [
        Scene(
            image,
            np.asarray(row["boxes"], np.float32).reshape(-1, 4),
            np.asarray(row["species"], np.int64),
            row["kind"],
            row["origin"],
            hashlib.sha256(row["image"]["bytes"]).hexdigest(),
        )
        for image, row in zip(images, rows, strict=True)
    ]


def held_back(hashes: list[str], fraction: float) -> np.ndarray:
    """Mask of the pictures kept from training, chosen by content hash so that every run agrees.

    Args:
        hashes: hexadecimal sha256 of each picture.
        fraction: share to hold back, 0…1.
    """
    return np.array([int(value[:8], 16) / 0xFFFFFFFF < fraction for value in hashes])


def split_scenes(scenes: list[Scene]) -> tuple[list[Scene], list[Scene]]:
    """(training, held back), by content hash."""
    hashes = [scene.sha256 for scene in scenes]
    pets, negatives = held_back(hashes, HELD_BACK_PETS), held_back(hashes, HELD_BACK_NEGATIVES)
    kept = [
        bool(n if scene.kind == "negative" else p)
        for scene, p, n in zip(scenes, pets, negatives, strict=True)
    ]
    return [s for s, k in zip(scenes, kept, strict=True) if not k], [
        s for s, k in zip(scenes, kept, strict=True) if k
    ]
