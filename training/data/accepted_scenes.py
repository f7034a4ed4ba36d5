"""Turn accepted missed pets into detector training data: whole photographs with a box around every pet.

A detector learns to treat everything without a box as background. A photograph is therefore only used if all
its pets are known: the accepted missed ones, those of other accepted flags, and those that the model found
when it missed the pet, unless a flag disputes them.
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
from smartbreed.core.files import expanded
from smartbreed.dataset.needs import capped
from smartbreed.imaging.photo import Box, read_photo
from smartbreed.inference.boxes import iou
from training.common.errors import DataError
from training.data.accepted_samples import ACCEPTING, box_of, label_of, latest_reviews
from training.data.flag_dataset import Rows, Stored, read_dataset, read_folder
from training.data.scenes import Scene, near_others

#: IoU from which two boxes count as the same pet, as in review.
SAME_PET = 0.6
#: Species by their number in `training.data.Scene.species`.
_SPECIES = ("cat", "dog")
#: `Scene.origin` of these photographs.
ORIGIN = "flags"


@dataclass(frozen=True)
class LabelledPhoto:
    """A photograph in which every pet is known.

    Attributes:
        key: sha256 of the photograph, 64 hex digits.
        image: the bytes of its file, or a reference to them.
        boxes: ``(x0, y0, x1, y1)`` in pixels of the photograph; the accepted missed pets come first.
        species: ``cat`` or ``dog`` for each box.
        flagger: salted hash of the person who reported the first missed pet.
    """

    key: str
    image: bytes | Stored = field(repr=False)
    boxes: tuple[Box, ...]
    species: tuple[str, ...]
    flagger: str = ""

    @property
    def place(self) -> tuple[int, int, int]:
        """Sort key: photographs read in this order load each row group only once."""
        return self.image.place if isinstance(self.image, Stored) else (-1, -1, -1)

    def read(self) -> bytes:
        """Return the bytes of the photograph's file."""
        return self.image.read() if isinstance(self.image, Stored) else self.image


@dataclass(frozen=True)
class LabelledPhotos:
    """Photographs with an accepted missed pet, and the number of those left out, by reason."""

    photos: list[LabelledPhoto] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def labelled_photos(flags: Sequence[dict[str, Any]], reviews: Sequence[dict[str, Any]]) -> LabelledPhotos:
    """Collect the photographs with an accepted missed pet.

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
    """Return the photographs as scenes, and how many of them cannot be used.

    A photograph cannot be used if it cannot be read or if one of its boxes is under one pixel wide or high.
    """
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
    """Load the scenes of a dataset of flags, and count the photographs left out, by reason.

    Args:
        source: a folder with shards under ``data/``, or a dataset repo ``owner/name[@revision]``.
        scratch: an empty folder for downloaded shards, needed while they are read.

    Raises:
        DataError: ``source`` is neither, or it holds no flags.
        HubCallError: a request to the Hub failed.
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

    folder = expanded(source)
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
    """Label one photograph, or return why it is left out; empty if it has no accepted missed pet."""
    missed: list[tuple[Box, str]] = []
    others: list[tuple[Box, str]] = []
    found: list[tuple[Box, str]] = []
    no_pet: list[Box] = []
    open_ones: list[dict[str, Any]] = []
    reported: list[dict[str, Any]] = []
    place = {flag_id: number for number, flag_id in enumerate(latest)}
    for flag in sorted(flags, key=lambda flag: place.get(flag["flag_id"], -1)):
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
    for box, species in [*_each_once(missed), *_each_once(others), *found]:
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


def _each_once(pets: Sequence[tuple[Box, str]]) -> list[tuple[Box, str]]:
    """Return each pet once: of several decisions about one, the last says where and what it is."""
    found: list[tuple[Box, str]] = []
    for box, species in pets:
        same = next((number for number, (other, _) in enumerate(found) if _among(box, [other])), None)
        if same is None:
            found.append((box, species))
        else:
            found[same] = (box, species)
    return found


def _undecided(flag: dict[str, Any], boxes: list[Box]) -> bool:
    """True when the decision about an open flag could add or remove a pet."""
    box = _box(flag["box"])
    known = box is not None and _among(box, boxes)
    return (flag["verdict"] == "missed" and not known) or (flag["verdict"] == "not_a_pet" and known)


def _among(box: Box, others: list[Box]) -> bool:
    """True when a box shows the same pet as one of the others."""
    return bool(others) and bool((iou(np.array([box]), np.array(others)) >= SAME_PET).any())


def _species(flag: dict[str, Any], review: dict[str, Any]) -> str:
    """Return the species of an accepted flag, ``cat`` or ``dog``; empty if unknown or if there is no pet."""
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
    """Load photographs of accepted missed pets that are near-duplicates of none of ``apart``.

    Returns:
        The scenes, and the number of photographs left out, by reason; both empty if ``accepted`` is empty.

    Raises:
        DataError: ``accepted`` holds no flags.
        HubCallError: a request to the Hub failed.
    """
    if not accepted:
        return [], {}
    with tempfile.TemporaryDirectory() as scratch:
        scenes, left_out = accepted_scenes(accepted, Path(scratch))
    near = near_others(scenes, apart)
    if near.any():
        left_out["nearly equal to one held back or of the test split"] = int(near.sum())
    return [scenes[i] for i in np.flatnonzero(~near)], left_out
