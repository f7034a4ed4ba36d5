"""What a pet identifier must not fall for, and pets of no breed: a configuration of the default data.

Its columns are ``image, boxes, species, kind, class``. ``kind`` is ``cat``, ``dog`` or ``mixed`` where a
photograph shows pets; anything else (``wild``, ``toy``, ``drawing`` …) is none.
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
from training.data.crops import held_back
from training.data.rows import box_list, decode, encoded, read_rows
from training.data.scenes import Scene, read_scenes, scenes_of_test

#: Share of the photographs never trained on, beside those of the classes held back as a whole.
HELD_BACK_OTHERS = 0.15
#: Boxes of one photograph that are cut out.
BOXES = 4
PETS = ("cat", "dog", "mixed")


@dataclass(frozen=True)
class Others:
    """Crops of ``n`` animals, toys and pets.

    Attributes:
        images: uint8 ``(n, size, size, 3)``.
        species: 0 cat, 1 dog; -1 for what is no pet, ``(n,)``.
        kinds, classes: as the source says, ``(n,)``.
        held: never trained on, ``(n,)`` bool.
        unseen: of a class that is held back as a whole, ``(n,)`` bool.
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
    """The split ``train`` of a configuration, each animal cut out as the app cuts pets.

    Args:
        root: dataset repo or folder.
        config: the configuration's name.
        size: side of the crops in pixels.
        held_classes: classes of which nothing may be trained on.
        margin: added around a box, as a share of its sides.

    Raises:
        DataError: it cannot be loaded or lacks a column.
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
    images, species, kinds, classes, hashes = zip(*found, strict=True)
    unseen = np.isin(classes, list(held_classes))
    return Others(
        np.stack(images), np.array(species), np.array(kinds), np.array(classes),
        held_back(list(hashes), HELD_BACK_OTHERS) | unseen, unseen,
    )  # fmt: skip


def load_other_scenes(
    root: str, config: str, held_classes: Collection[str] = (), dropped: list[dict[str, str]] | None = None
) -> tuple[list[Scene], list[Scene]]:
    """(training, held back) whole photographs of the split ``train``, with a box around every pet.

    A cat or dog without a box is in neither part. What is held back is what `load_others` holds back.

    Args:
        root, config, held_classes: as of `load_others`.
        dropped: gets what cannot be used, as of `training.data.scenes.load_scenes`.

    Raises:
        DataError: it cannot be loaded or lacks a column.
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
    """Photographs of `load_other_scenes` that are held back, and those of the split ``test``."""
    return [*load_other_scenes(root, config, held_classes, [])[1], *scenes_of_test(root, config)]


def _animals(
    picture: Image.Image, row: dict[str, Any], margin: float
) -> Iterator[tuple[tuple[float, float, float, float], int]]:
    """Boxes and species; the whole photograph where it has no boxes."""
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
