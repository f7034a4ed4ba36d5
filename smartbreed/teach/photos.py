"""Turn a photo into what is stored for training: a small copy, an embedding and a perceptual hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image

from smartbreed.imaging.photo import Photo, encode_jpeg
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Pet
from smartbreed.review.near_duplicates import Picture, near_duplicates
from smartbreed.review.scores import difference_hash

#: ``pet``: the cat or dog in the photo, if one is found. ``whole``: the whole photo.
Subject = Literal["pet", "whole"]
SUBJECTS: tuple[Subject, ...] = ("pet", "whole")
#: Longest side of the stored copy, in pixels; larger than the model's input.
SIDE = 1024


def subject_named(text: str) -> Subject:
    """Return the value of a ``subject`` column as a `Subject`."""
    return "pet" if text == "pet" else "whole"


@dataclass(frozen=True, eq=False)
class Seen:
    """The features of a photo's subject.

    Attributes:
        embedding: float32 ``(d,)``.
        phash: difference hash of the subject, 16 hex digits.
        whole: True if the subject is the whole photo: no pet was found, or none was looked for.
    """

    embedding: np.ndarray = field(repr=False)
    phash: str
    whole: bool


def subject_of(identifier: Identifier, photo: Photo, subject: Subject) -> tuple[Pet, bool]:
    """Return the subject of a photo, and whether that is the whole photo.

    The subject is the likeliest pet; the whole photo if no pet is found or none is looked for.
    """
    if subject == "pet" and (found := identifier.identify(photo).pets):
        return found[0], False
    return identifier.identify(photo, whole=True).pets[0], True


def see(identifier: Identifier, photo: Photo, subject: Subject) -> Seen:
    """Return the features of a photo's subject."""
    pet, whole = subject_of(identifier, photo, subject)
    crop = photo.to_pil().crop(tuple(round(v) for v in photo.in_pixels(pet.crop)))  # type: ignore[arg-type]
    return Seen(pet.embedding, difference_hash(crop), whole)


def small_copy(photo: Photo) -> bytes:
    """Return the JPEG to store: at most `SIDE` pixels on each side, without metadata."""
    picture = photo.to_pil()
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return encode_jpeg(np.asarray(picture))


def groups_of(embeddings: np.ndarray, phashes: Sequence[str]) -> list[int]:
    """Return a group number for each photo; near-duplicates share one."""
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
    units = embeddings / lengths
    found = near_duplicates([Picture(str(n), "", units[n], phash) for n, phash in enumerate(phashes)])
    return [int(found[str(n)][0]) for n in range(len(phashes))]
