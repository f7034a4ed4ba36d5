"""Load crops of single pets, which detector training pastes onto pet-less photographs."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from training.data import HELD_BACK_PETS, held_back
from training.data.labels import describe_label
from training.data.reading import pet_finder, read_crops
from training.data.sources import Sample, open_source
from training.recipe.recipe import Data

#: Most crops that are kept.
PASTED = 3000
#: Side of a crop in pixels; they are pasted smaller.
SIZE = 224
_SPECIES = {"cat": 0, "dog": 1}


def pasted_crops(data: Data, seed: int) -> list[tuple[np.ndarray, int]]:
    """Load training crops of one cat or dog each from the configuration that the recipe names.

    Pictures of the splits ``validation`` and ``test`` are left out, and so are held-back and unreadable ones
    and those of unknown species.

    Args:
        data: section of the recipe; without ``data.config`` the result is empty.
        seed: seed of the choice if there are more than `PASTED` pictures.

    Returns:
        The crops, uint8 ``(224, 224, 3)``, each with its species (0 cat, 1 dog).

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
    except OSError:  # this hash is never held back; `read_crops` leaves the picture out
        return "f" * 64
