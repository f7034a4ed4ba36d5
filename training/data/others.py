"""Load hard negatives (other animals, toys, drawings) and pets of no breed.

They are a configuration of the default dataset with the columns ``image, boxes, species, kind, class``.
``kind`` is ``cat``, ``dog`` or ``mixed`` if a photograph shows pets; any other value (``wild``, ``toy``,
``drawing`` …) means that it shows none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from smartbreed.core.errors import PhotoError
from smartbreed.inference.boxes import with_margin
from smartbreed.inference.pixels import resample
from training.common.errors import DataError
from training.data.crops import held_back
from training.data.rows import box_list, decode, encoded, read_rows
from training.data.scenes import Scene, read_scenes, scenes_of_test

#: Share of the photographs held back from training, 0…1, in addition to the classes held back entirely.
HELD_BACK_OTHERS = 0.15
#: Most boxes that are cut out of one photograph.
BOXES = 4
PETS = ("cat", "dog", "mixed")


@dataclass(frozen=True)
class Others:
    """Crops of ``n`` animals, toys and pets.

    Attributes:
        images: uint8 ``(n, size, size, 3)``.
        species: 0 cat, 1 dog, -1 not a pet, ``(n,)``.
        kinds, classes: the source's ``kind`` and ``class``, ``(n,)``.
        held: True for crops that are never trained on, bool ``(n,)``.
        unseen: True for crops of a class that is held back entirely, bool ``(n,)``.
    """

    images: np.ndarray
    species: np.ndarray
    kinds: np.ndarray
    classes: np.ndarray
    held: np.ndarray
    unseen: np.ndarray

    def __len__(self) -> int:
        return len(self.species)


def load_others(
    root: str, config: str, size: int, held_classes: Collection[str] = (), margin: float = 0.05
) -> Others:
    """Load the split ``train`` of a configuration and cut out each animal as the app cuts out pets.

    Args:
        root: dataset repo or folder.
        config: name of the configuration.
        size: side of the crops in pixels.
        held_classes: classes that must never be trained on.
        margin: added around each box, as a share of its sides.

    Raises:
        DataError: the configuration cannot be loaded, lacks a column, or has no readable photograph.
    """
    _, rows = read_rows(root, config, "train", needed=("boxes", "species", "kind", "class"))

    def read(row: dict[str, Any]) -> list[tuple[np.ndarray, int, str, str, str]]:
        try:
            raw = encoded(row)
            picture = Image.fromarray(decode(raw))
        except PhotoError:
            return []
        sha256 = hashlib.sha256(raw).hexdigest()
        return [
            (resample(picture, box, (size, size)), species, row["kind"], row["class"] or "", sha256)
            for box, species in _animals(picture, row, margin)
        ]

    with ThreadPoolExecutor(4) as pool:
        found = [item for items in pool.map(read, rows) for item in items]
    if not found:
        raise DataError(f"No photograph of {config!r} can be read. Received: {root}")
    images, species, kinds, classes, hashes = zip(*found, strict=True)
    unseen = np.isin(classes, list(held_classes))
    return Others(
        np.stack(images), np.array(species), np.array(kinds), np.array(classes),
        held_back(list(hashes), HELD_BACK_OTHERS) | unseen, unseen,
    )  # fmt: skip


def load_other_scenes(
    root: str, config: str, held_classes: Collection[str] = (), dropped: list[dict[str, str]] | None = None
) -> tuple[list[Scene], list[Scene]]:
    """Load the whole photographs of the split ``train``, with a box around every pet.

    Photographs of pets without a box are left out. The same ones are held back as in `load_others`.

    Args:
        root, config, held_classes: see `load_others`.
        dropped: unusable photographs are appended here; see `training.data.scenes.load_scenes`.

    Returns:
        The photographs to train on, and those held back.

    Raises:
        DataError: the configuration cannot be loaded or lacks a column.
    """
    found = read_scenes(root, "train", config, ("class",), dropped)
    scenes = [
        (scene, row["class"] or "") for scene, row in found if len(scene.boxes) or scene.kind not in PETS
    ]
    held = held_back([scene.sha256 for scene, _ in scenes], HELD_BACK_OTHERS)
    held |= np.isin([name for _, name in scenes], list(held_classes))
    kept = [scene for (scene, _), apart in zip(scenes, held, strict=True) if apart]
    return [scene for (scene, _), apart in zip(scenes, held, strict=True) if not apart], kept


def unseen_scenes(root: str, config: str, held_classes: Collection[str] = ()) -> list[Scene]:
    """Return the held-back photographs of `load_other_scenes` and all of the split ``test``."""
    return [*load_other_scenes(root, config, held_classes, [])[1], *scenes_of_test(root, config)]


def _animals(
    picture: Image.Image, row: dict[str, Any], margin: float
) -> Iterator[tuple[tuple[float, float, float, float], int]]:
    """Yield the box (with margin) and the species of each animal; the whole photograph if it has no boxes.

    In a photograph of pets, animals of unknown species are skipped; elsewhere the species is -1.
    """
    boxes, species = box_list(row["boxes"]), row["species"]
    species = list(species) if isinstance(species, (list, tuple)) else [species] * max(len(boxes), 1)
    pet = row["kind"] in PETS
    for number, box in enumerate([*boxes[:BOXES]] or [None]):
        whole = (0.0, 0.0, float(picture.width), float(picture.height))
        cut = whole if box is None else with_margin(np.array(box), margin, picture.width, picture.height)
        said = species[number] if number < len(species) and species[number] is not None else -1
        if pet and said < 0 and box is None and row["kind"] != "mixed":
            said = PETS.index(row["kind"])
        if said >= 0 or not pet:
            yield cut, int(said) if pet else -1
