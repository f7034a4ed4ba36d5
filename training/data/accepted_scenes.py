"""Accepted missed pets as whole photographs with a box around every pet, to train a detector on.

What a detector is shown without a box it learns to be background. So a photograph is only used when
every pet in it is known: the missed ones that were accepted, those of other accepted flags, and what
the model had found when the pet was missed, unless a flag disputes it.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.breeds.catalogue import BREEDS
from smartbreed.core.errors import PhotoError
from smartbreed.dataset.needs import capped
from smartbreed.imaging.photo import Box, read_photo
from smartbreed.inference.boxes import iou
from training.common.errors import DataError
from training.data.accepted_samples import ACCEPTING, box_of, label_of, latest_reviews
from training.data.flag_dataset import Rows, Stored, read_dataset, read_folder
from training.data.scenes import Scene, near_others

#: Overlap (intersection over union) from which two boxes are of the same pet, as in review.
SAME_PET = 0.6
#: In the order of `training.data.Scene.species`.
_SPECIES = ("cat", "dog")
#: What such a photograph says of its origin.
ORIGIN = "flags"


@dataclass(frozen=True)
class LabelledPhoto:
    """A photograph of which every pet is known.

    Attributes:
        key: sha256 of the photograph, 64 hex digits.
        image: its file, or where it lies.
        boxes: ``(x0, y0, x1, y1)`` in its pixels, the accepted missed pets first.
        species: ``cat`` or ``dog``, one a box.
        flagger: salted hash of who reported the first missed pet.
    """

    key: str
    image: bytes | Stored = field(repr=False)
    boxes: tuple[Box, ...]
    species: tuple[str, ...]
    flagger: str = ""

    @property
    def place(self) -> tuple[int, int, int]:
        """Order in which reading many is quick."""
        return self.image.place if isinstance(self.image, Stored) else (-1, -1, -1)

    def read(self) -> bytes:
        """The photograph's file."""
        return self.image.read() if isinstance(self.image, Stored) else self.image


@dataclass(frozen=True)
class LabelledPhotos:
    """Photographs, and how many with an accepted missed pet were left out for which reason."""

    photos: list[LabelledPhoto] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def labelled_photos(flags: Sequence[dict[str, Any]], reviews: Sequence[dict[str, Any]]) -> LabelledPhotos:
    """The photographs with an accepted missed pet.

    Args:
        flags, reviews: rows as `training.data.flag_dataset.read_dataset` returns them.
    """
    latest = latest_reviews(reviews)
    by_photo: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for flag in flags:
        if flag["consent"]:
            by_photo[flag["sample_id"]].append(flag)
    found: list[LabelledPhoto] = []
    left_out: Counter[str] = Counter()
    for sample_id, those in sorted(by_photo.items()):
        photo = _labelled(sample_id, those, latest)
        if isinstance(photo, LabelledPhoto):
            found.append(photo)
        elif photo:
            left_out[photo] += 1
    kept = capped(found)
    left_out["over one person's share"] = len(found) - len(kept)
    return LabelledPhotos(kept, {reason: count for reason, count in left_out.items() if count})


def scenes_of(photos: Sequence[LabelledPhoto]) -> tuple[list[Scene], int]:
    """The photographs as scenes, and how many could not be read."""
    scenes = []
    for photo in sorted(photos, key=lambda one: one.place):
        try:
            picture = read_photo(photo.read())
        except PhotoError:
            continue
        limits = np.array([picture.width, picture.height] * 2, np.float32)
        boxes = np.clip(np.array(photo.boxes, np.float32), 0, limits)
        if (boxes[:, 2:] - boxes[:, :2] >= 1).all():
            species = np.array([_SPECIES.index(kind) for kind in photo.species], np.int64)
            scenes.append(Scene(picture.pixels, boxes, species, photo.species[0], ORIGIN, photo.key))
    return scenes, len(photos) - len(scenes)


def accepted_scenes(source: str, scratch: Path) -> tuple[list[Scene], dict[str, int]]:
    """The scenes of a dataset of flags, and what was left out of it.

    Args:
        source: a folder with shards under ``data/``, or a dataset repo ``owner/name[@revision]``.
        scratch: an empty folder for the shards of a repo while they are read.

    Raises:
        DataError: it is neither.
        HubCallError: the Hub cannot be asked.
    """
    rows = _rows(source, scratch)
    found = labelled_photos(rows.flags, rows.reviews)
    scenes, unreadable = scenes_of(found.photos)
    left_out = dict(found.left_out)
    if unreadable:
        left_out["with a photo that cannot be read"] = unreadable
    return scenes, left_out


def _rows(source: str, scratch: Path) -> Rows:
    from smartbreed.core.settings import load_settings
    from smartbreed.hub.client import connect, parse_repo

    folder = Path(source).expanduser()
    if folder.is_dir():
        rows = read_folder(folder)
    elif repo := parse_repo(source):
        rows = read_dataset(connect(load_settings()), repo[0], scratch, repo[1] or "main")
    else:
        raise DataError(
            f"data.accepted is a folder of flags or a dataset repo owner/name. Received: {source!r:.200}"
        )
    if not rows.flags:
        why = f" {rows.skipped[0]}" if rows.skipped else ""
        raise DataError(f"There are no flags in data.accepted.{why} Received: {source!r:.200}")
    return rows


def _labelled(
    sample_id: str, flags: list[dict[str, Any]], latest: dict[str, dict[str, Any]]
) -> LabelledPhoto | str:
    """What is known of one photograph, or why it is left out; empty when no missed pet was accepted."""
    missed: list[tuple[Box, str]] = []
    others: list[tuple[Box, str]] = []
    found: list[tuple[Box, str]] = []
    no_pet: list[Box] = []
    open_ones: list[dict[str, Any]] = []
    reported: list[dict[str, Any]] = []
    for flag in flags:
        review = latest.get(flag["flag_id"])
        if review is None or review["decision"] == "undo":
            open_ones.append(flag)
            continue
        box = _box(box_of(flag, review))
        if review["decision"] not in ACCEPTING or box is None:
            continue
        species = _species(flag, review)
        if flag["verdict"] == "missed":
            missed.append((box, species))
            reported.append(flag)
        elif species:
            others.append((box, species))
        elif flag["verdict"] == "not_a_pet":
            no_pet.append(box)
    if not missed:
        return ""
    for flag in reported:
        boxes, kinds = flag.get("found_boxes"), flag.get("found_species")
        if boxes is None or kinds is None or len(boxes) != len(kinds):
            return "without what else was found in the photo"
        found += [
            (box, str(kind or "")) for one, kind in zip(boxes, kinds, strict=True) if (box := _box(one))
        ]
    pets: list[tuple[Box, str]] = []
    for box, species in [*missed, *others, *found]:
        if not _among(box, no_pet) and not _among(box, [other for other, _ in pets]):
            pets.append((box, species))
    if any(_undecided(flag, [box for box, _ in pets]) for flag in open_ones):
        return "with another flag of the photo not decided yet"
    if not all(species in _SPECIES for _, species in pets):
        return "with a pet of unknown species"
    return LabelledPhoto(
        sample_id,
        reported[0]["image"] if isinstance(reported[0]["image"], Stored) else reported[0]["image"]["bytes"],
        tuple(box for box, _ in pets),
        tuple(species for _, species in pets),
        reported[0]["flagger"] or "",
    )


def _undecided(flag: dict[str, Any], boxes: list[Box]) -> bool:
    """Whether an open flag may change which pets there are."""
    box = _box(flag["box"])
    known = box is not None and _among(box, boxes)
    return (flag["verdict"] == "missed" and not known) or (flag["verdict"] == "not_a_pet" and known)


def _among(box: Box, others: list[Box]) -> bool:
    """Whether a box is of the same pet as one of the others."""
    return bool(others) and bool((iou(np.array([box]), np.array(others)) >= SAME_PET).any())


def _species(flag: dict[str, Any], review: dict[str, Any]) -> str:
    """``cat`` or ``dog`` of an accepted flag; empty where there is no pet, or it is not known."""
    label = label_of(flag, review)
    if not label and flag["verdict"] != "missed":
        return ""
    known = BREEDS[label].species if label in BREEDS else ""
    return str(review["species"] or known or flag["species"] or "")


def _box(value: Sequence[float] | None) -> Box | None:
    if value is None or len(value) != 4:
        return None
    x0, y0, x1, y1 = (float(side) for side in value)
    return (x0, y0, x1, y1)


def accepted_beside(accepted: str, apart: list[Scene]) -> tuple[list[Scene], dict[str, int]]:
    """Photographs of accepted missed pets that equal none of ``apart``, and why others were left out.

    Raises:
        DataError: ``accepted`` holds no flags.
        HubCallError: the Hub cannot be asked.
    """
    if not accepted:
        return [], {}
    with tempfile.TemporaryDirectory() as scratch:
        scenes, left_out = accepted_scenes(accepted, Path(scratch))
    near = near_others(scenes, apart)
    if near.any():
        left_out["nearly equal to one held back or of the test split"] = int(near.sum())
    return [scenes[i] for i in np.flatnonzero(~near)], left_out
