"""Pictures cut to one pet (or whatever is to be named) each."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from training.data.rows import decode, read_rows

#: Share of the crops never trained on, to calibrate on.
HELD_BACK = 0.05


@dataclass(frozen=True)
class Crops:
    """Pictures cut to one subject each.

    Attributes:
        images: uint8 ``(count, size, size, 3)``.
        labels: index into ``names``, int64 ``(count,)``.
        species: 0 cat, 1 dog, -1 neither or unknown, int64 ``(count,)``.
        sources: name of the original file, one a picture.
        hashes: sha256 of the encoded picture, one a picture.
        names: label ids in label order.
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


def load_crops(root: str, split: str) -> Crops:
    """The ``breeds`` configuration of the dataset at ``root``."""
    features, rows = read_rows(root, "breeds", split)
    with ThreadPoolExecutor(4) as pool:
        images = np.stack(list(pool.map(decode, rows)))
    return Crops(
        images,
        np.array([row["breed"] for row in rows]),
        np.array([row["species"] for row in rows]),
        [row["source_id"] for row in rows],
        [hashlib.sha256(row["image"]["bytes"]).hexdigest() for row in rows],
        list(features["breed"].names),
    )


def held_back(hashes: list[str], fraction: float) -> np.ndarray:
    """Mask of the pictures kept from training, chosen by content hash so that every run agrees.

    Args:
        hashes: hexadecimal sha256 of each picture.
        fraction: share to hold back, 0…1.
    """
    return np.array([int(value[:8], 16) / 0xFFFFFFFF < fraction for value in hashes], bool)
