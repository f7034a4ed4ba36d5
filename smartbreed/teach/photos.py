"""A photograph → what is kept of it and learnt from: a small copy, an embedding, and a hash."""

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

#: ``pet``: the cat or dog in the photo, where one is found. ``whole``: the photo as it is.
Subject = Literal["pet", "whole"]
SUBJECTS: tuple[Subject, ...] = ("pet", "whole")
#: Longest side of the copy that is kept, in pixels: more than the model looks at.
SIDE = 1024


def subject_named(text: str) -> Subject:
    """What the photos of a model show, of a column that says it."""
    return "pet" if text == "pet" else "whole"


@dataclass(frozen=True, eq=False)
class Seen:
    """What the model makes of a photo.

    Attributes:
        embedding: float32 ``(d,)``.
        phash: of the subject, 16 hex digits.
        whole: no pet was found, or none was looked for.
    """

    embedding: np.ndarray = field(repr=False)
    phash: str
    whole: bool


def subject_of(identifier: Identifier, photo: Photo, subject: Subject) -> tuple[Pet, bool]:
    """The pet of a photo, the likeliest one; the whole photo where there is none, or none is looked for."""
    if subject == "pet" and (found := identifier.identify(photo).pets):
        return found[0], False
    return identifier.identify(photo, whole=True).pets[0], True


def see(identifier: Identifier, photo: Photo, subject: Subject) -> Seen:
    """Run the model on a photo."""
    pet, whole = subject_of(identifier, photo, subject)
    crop = photo.to_pil().crop(tuple(round(v) for v in photo.in_pixels(pet.crop)))  # type: ignore[arg-type]
    return Seen(pet.embedding, difference_hash(crop), whole)


def small_copy(photo: Photo) -> bytes:
    """The JPEG that is kept: at most `SIDE` pixels a side, without metadata."""
    picture = photo.to_pil()
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return encode_jpeg(np.asarray(picture))


def groups_of(embeddings: np.ndarray, phashes: Sequence[str]) -> list[int]:
    """A number for each photo; near-duplicates have the same one."""
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
    units = embeddings / lengths
    found = near_duplicates([Picture(str(n), "", units[n], phash) for n, phash in enumerate(phashes)])
    return [int(found[str(n)][0]) for n in range(len(phashes))]
