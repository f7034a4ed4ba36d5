"""Scenes: whole photographs with a box around every pet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from smartbreed.core.errors import PhotoError
from training.common.errors import DataError, MissingSplitError
from training.data.crops import held_back
from training.data.duplicates import groups_of, near_duplicates
from training.data.rows import box_list, decode, encoded, place_of, read_rows, species_number

#: Shares held back from training for calibration, 0…1: of the scenes with pets, and of those without.
HELD_BACK_PETS, HELD_BACK_NEGATIVES = 0.1, 0.25
#: Columns that a configuration of scenes has in addition to its pictures.
COLUMNS = ("boxes", "species", "kind", "origin")
#: Most bits in which the hashes of near-duplicates differ.
NEAR = 4
#: Pixels by which a box may reach outside its picture, as boxes are rounded when a picture is scaled.
ROUNDING = 2.0


@dataclass(frozen=True)
class Scene:
    """A whole photograph with its pets.

    Attributes:
        image: RGB uint8 ``(height, width, 3)``.
        boxes: x0, y0, x1, y1 in pixels, float32 ``(n, 4)``.
        species: 0 cat, 1 dog, of each box, int64 ``(n,)``.
        kind: the source's ``kind``, such as ``cat``, ``dog`` or ``negative`` (no pet).
        origin: the source's ``origin``, where the photograph comes from.
        sha256: hash of the encoded photograph.
        breed: breed id of the pet; "" if unknown.
        file: path of the photograph's file; "" if unknown.
    """

    image: np.ndarray
    boxes: np.ndarray
    species: np.ndarray
    kind: str
    origin: str
    sha256: str
    breed: str = ""
    file: str = ""


def load_scenes(
    root: str, split: str, config: str = "scenes", dropped: list[dict[str, str]] | None = None
) -> list[Scene]:
    """Load the photographs of a split; unusable ones are left out.

    Args:
        root: dataset repo or folder.
        split: ``train`` or ``test``.
        config: configuration with the columns ``image, boxes, species, kind, origin``.
        dropped: unusable photographs are appended here: ``{"origin": …, "reason": …}``.

    Raises:
        DataError: the dataset cannot be loaded or lacks a column.
    """
    return [scene for scene, _ in read_scenes(root, split, config, (), dropped)]


def read_scenes(
    root: str, split: str, config: str, more: Sequence[str], dropped: list[dict[str, str]] | None = None
) -> list[tuple[Scene, dict[str, Any]]]:
    """Like `load_scenes`, but return each scene with its row, which must also have the columns ``more``."""
    features, rows = read_rows(root, config, split, needed=(*COLUMNS, *more))
    inner = getattr(features["species"], "feature", features["species"])
    names = getattr(inner, "names", None)
    kinds = getattr(features["kind"], "names", None)

    def read(job: tuple[int, dict[str, Any]]) -> tuple[Scene, dict[str, Any]] | dict[str, str]:
        number, row = job
        try:
            return _scene(row, names, kinds), row
        except (PhotoError, DataError) as error:
            return {"origin": place_of(row, split, number), "reason": error.message}

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, enumerate(rows)))
    if dropped is not None:
        dropped += [item for item in found if isinstance(item, dict)]
    return [item for item in found if isinstance(item, tuple)]


def scenes_of_test(source: str, config: str, dropped: list[dict[str, str]] | None = None) -> list[Scene]:
    """Load the photographs of the split ``test``; empty if the dataset has none.

    Args:
        source, config, dropped: see `load_scenes`.

    Raises:
        DataError: there is one, and it cannot be loaded. Without it, near-duplicates of its photographs
            would be trained on.
    """
    try:
        return load_scenes(source, "test", config, dropped)
    except MissingSplitError:
        return []


def _scene(row: dict[str, Any], names: list[str] | None, kinds: list[str] | None) -> Scene:
    raw = encoded(row)
    image, boxes = decode(raw), np.array(box_list(row["boxes"]), np.float32).reshape(-1, 4)
    height, width = image.shape[:2]
    inside = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
    if not (np.abs(boxes - inside) <= ROUNDING).all() or not (inside[:, 2:] > inside[:, :2]).all():
        raise DataError(f"A box lies outside the picture of {width} x {height}. Received: {boxes.tolist()}")
    given = row["species"] if isinstance(row["species"], (list, tuple)) else [row["species"]] * len(boxes)
    species = [species_number(value, names) for value in given]
    if len(species) != len(boxes) or min(species, default=0) < 0:
        raise DataError(
            f"Every box needs a species, cat or dog. Received: {len(boxes)} boxes, species {given}"
        )
    kind = row["kind"] if kinds is None or row["kind"] is None else kinds[row["kind"]]
    return Scene(
        image, inside, np.array(species, np.int64), kind or "", row["origin"] or "",
        hashlib.sha256(raw).hexdigest(),
        row.get("breed") or "",
        row["image"].get("path") or "",
    )  # fmt: skip


def split_scenes(scenes: list[Scene], apart: list[Scene] | None = None) -> tuple[list[Scene], list[Scene]]:
    """Split scenes into those to train on and those held back, by content hash.

    A near-duplicate of a held-back photograph is in neither part: training on it would let the network
    memorise the held-back one. The held-back part does not change when photographs are added.

    Args:
        scenes: photographs of the split ``train``.
        apart: further photographs of which no training photograph may be a near-duplicate, such as those of
            the split ``test``.
    """
    hashes = [scene.sha256 for scene in scenes]
    pets, negatives = held_back(hashes, HELD_BACK_PETS), held_back(hashes, HELD_BACK_NEGATIVES)
    kept = np.array(
        [n if scene.kind == "negative" else p for scene, p, n in zip(scenes, pets, negatives, strict=True)],
        bool,
    )
    held = [scenes[i] for i in np.flatnonzero(kept)]
    rest = [scenes[i] for i in np.flatnonzero(~kept)]
    near = near_others(rest, [*held, *(apart or ())])
    return [rest[i] for i in np.flatnonzero(~near)], held


def near_others(scenes: Sequence[Scene], others: Sequence[Scene]) -> np.ndarray:
    """Find the photographs that are near-duplicates of one of the others, directly or through a chain.

    Returns:
        bool ``(len(scenes),)``.
    """
    everything = [*scenes, *others]
    groups = groups_of(len(everything), near_pairs(everything), [scene.sha256 for scene in everything])
    return np.isin(groups[: len(scenes)], groups[len(scenes) :])


def near_pairs(scenes: list[Scene]) -> list[tuple[int, int]]:
    """Return the index pairs of near-duplicate photographs; see `training.data.duplicates`."""
    if not scenes:
        return []
    with ThreadPoolExecutor(4) as pool:
        small = list(pool.map(_small, scenes))
    return near_duplicates(np.stack(small), NEAR)


def _small(scene: Scene) -> np.ndarray:
    return np.asarray(Image.fromarray(scene.image).resize((64, 64), Image.Resampling.BILINEAR))
