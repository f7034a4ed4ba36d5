"""Crops of single pets that are pasted onto pet-less photographs while a detector is trained."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from training.data import HELD_BACK_PETS, held_back
from training.data.labels import describe_label
from training.data.reading import pet_finder, read_crops
from training.data.sources import Sample, open_source
from training.recipe.recipe import Data

#: Most crops kept.
PASTED = 3000
#: Side of a crop, pixels; pasted ones are smaller.
SIZE = 224
_SPECIES = {"cat": 0, "dog": 1}


def pasted_crops(data: Data, seed: int) -> list[tuple[np.ndarray, int]]:
    """Training pictures of one cat or dog each, as the recipe's configuration and columns say.

    Args:
        data: where they are; without ``data.config`` there are none.
        seed: of the choice, where there are more than `PASTED`.

    Returns:
        uint8 ``(224, 224, 3)`` and species (0 cat, 1 dog) of each. Left out are pictures of the split
        ``test``, those held back, those that cannot be read, and those of an unknown species.

    Raises:
        DataError: the source cannot be loaded or lacks a column.
    """
    if not data.config:
        return []
    source = open_source(data)
    species_of = {label: _SPECIES.get(describe_label(label, data)["species"], -1) for label in source.labels}
    mine = [s for s in source.samples if s.split in ("", "train")]
    with ThreadPoolExecutor(4) as pool:
        hashes = list(pool.map(_sha256, mine))
    free = np.flatnonzero(~held_back(hashes, HELD_BACK_PETS))
    some = [mine[i] for i in np.random.default_rng(seed).permutation(free)[:PASTED]]
    find = pet_finder(data.find) if data.find else None
    plain = data.model_copy(update={"jittered_copies": 0})
    read = read_crops(some, source.labels, plain, SIZE, seed, find).crops
    species = [
        kind if kind >= 0 else species_of[source.labels[label]]
        for kind, label in zip(read.species.tolist(), read.labels.tolist(), strict=True)
    ]
    return [(image, kind) for image, kind in zip(read.images, species, strict=True) if kind >= 0]


def _sha256(sample: Sample) -> str:
    try:
        return hashlib.sha256(sample.read()).hexdigest()
    except OSError:  # reading it again will tell
        return "f" * 64
