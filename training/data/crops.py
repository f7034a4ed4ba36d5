"""Crops: pictures cut to one pet each, or to whatever else is to be classified."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from smartbreed.core.errors import PhotoError
from training.common.errors import DataError
from training.data.rows import decode, encoded, place_of, read_rows, species_number

#: Share of the crops held back from training for calibration, 0…1.
HELD_BACK = 0.05


@dataclass(frozen=True)
class Crops:
    """Pictures cut to one subject each.

    Attributes:
        images: uint8 ``(count, size, size, 3)``.
        labels: indices into ``names``, int64 ``(count,)``.
        species: 0 cat, 1 dog, -1 neither or unknown, int64 ``(count,)``.
        sources: name of the original file of each picture.
        hashes: sha256 of each encoded picture.
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


def load_crops(root: str, split: str, dropped: list[dict[str, str]] | None = None) -> Crops:
    """Load the ``breeds`` configuration of a dataset with the layout of the default one.

    Args:
        root: dataset repo or folder with the columns ``image, breed, species, source_id``.
        split: ``train`` or ``test``.
        dropped: unreadable pictures, which are left out, are appended here: ``{"origin": …, "reason": …}``.

    Raises:
        DataError: the dataset cannot be loaded, lacks a column or the names of its breeds, holds no
            readable picture, or has pictures of several sizes.
    """
    features, rows = read_rows(root, "breeds", split, needed=("breed", "species", "source_id"))
    names, kinds = (getattr(features[column], "names", None) for column in ("breed", "species"))
    if not names:
        raise DataError(f"The column breed must be a ClassLabel, which names its classes. Received: {root}")

    def read(job: tuple[int, dict[str, Any]]) -> tuple[np.ndarray, str] | dict[str, str]:
        number, row = job
        try:
            raw = encoded(row)
            return decode(raw), hashlib.sha256(raw).hexdigest()
        except PhotoError as error:
            return {"origin": place_of(row, split, number), "reason": error.message}

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, enumerate(rows)))
    if dropped is not None:
        dropped += [item for item in found if isinstance(item, dict)]
    kept = [(row, *item) for row, item in zip(rows, found, strict=True) if not isinstance(item, dict)]
    if not kept:
        raise DataError(f"No picture of the dataset can be read. Received: {root}, split {split}")
    sizes = {image.shape for _, image, _ in kept}
    if len(sizes) > 1:
        some = ", ".join(f"{width} x {height}" for height, width, _ in sorted(sizes)[:2])
        raise DataError(f"The crops must all have one size. Received: {root} with {some} and so on")
    return Crops(
        np.stack([image for _, image, _ in kept]),
        np.array([row["breed"] for row, *_ in kept]),
        np.array([species_number(row["species"], kinds) for row, *_ in kept]),
        [row["source_id"] for row, *_ in kept],
        [sha256 for *_, sha256 in kept],
        list(names),
    )


def held_back(hashes: list[str], fraction: float) -> np.ndarray:
    """Return a mask of the pictures held back from training.

    They are chosen by content hash, so every run holds back the same ones.

    Args:
        hashes: hexadecimal sha256 of each picture.
        fraction: share to hold back, 0…1.
    """
    return np.array([int(value[:8], 16) / 0xFFFFFFFF < fraction for value in hashes], bool)
