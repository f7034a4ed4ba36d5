"""The pictures that a maintainer judges by, as data URLs: they leave no files behind and need no route."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from smartbreed.core.errors import SmartBreedError
from smartbreed.imaging.photo import Box, Photo, encode_jpeg
from smartbreed.inference.results import Pet
from smartbreed.review.pictures import draw_frame, stored_photo, surroundings
from smartbreed.review.queue import Item
from smartbreed.review.scores import pet_at
from smartbreed.services import Services

#: Longest side of a photo, a crop and a thumbnail, in pixels.
_PHOTO, _CROP, _THUMB = 900, 360, 200


@dataclass(frozen=True)
class Views:
    """The pictures of one flag, as data URLs.

    Attributes:
        pet: the current model's answer; None if the photo cannot be read.
        photo: the whole photo with the pet's box.
        heats: ``(breed id, picture)`` for the model's first guess and for the decided or flagged breed, or
            else the model's second guess. The picture is empty if the model does not know the breed.
        box: box of an undecided missed pet, ``x0,y0,x1,y1`` as shares of the photo's sides; empty if the
            person drew none. The page draws it, so that it can be moved. None for all other flags.
        problem: why there are no pictures; empty if there are some.
    """

    pet: Pet | None = None
    photo: str = ""
    heats: tuple[tuple[str, str], ...] = ()
    box: str | None = None
    problem: str = ""


def views(services: Services, item: Item) -> Views:
    """Return the pictures of one flag; if its photo is gone or damaged, only ``problem`` is set."""
    try:
        photo = stored_photo(services.flags.blobs, item.flag.sample_id, services.admission)
        identifier = services.identifier
        box = (item.decision.box if item.decision else None) or item.flag.box
        pet = pet_at(identifier, photo, box)
    except SmartBreedError as error:
        return Views(problem=error.message)
    first = pet.breeds[0].id
    others = [item.label, item.flag.label, *(guess.id for guess in pet.breeds[1:2])]
    second = next((breed for breed in others if breed and breed != first), None)
    heats = tuple(
        (breed, _url(identifier.explain(photo, pet, breed, _CROP)) if breed in identifier.labels else "")
        for breed in (first, second)
        if breed
    )
    movable = item.flag.verdict == "missed" and item.state == "open"
    found = [other for other, _ in item.flag.found_pets or ()]
    picture = framed(photo, None if movable else box, _PHOTO, found)
    return Views(pet, _url(picture), heats, _shares(box, photo) if movable else None)


def _shares(box: Box | None, photo: Photo) -> str:
    """Format a box as ``box.js`` reads it; empty for None."""
    sides = (photo.width, photo.height) * 2
    return ",".join(f"{value / side:.5f}" for value, side in zip(box or (), sides, strict=False))


def thumbnail(services: Services, item: Item) -> str:
    """Return a thumbnail of the flagged pet with a margin; empty if its photo cannot be read."""
    try:
        photo = stored_photo(services.flags.blobs, item.flag.sample_id, services.admission)
    except SmartBreedError:
        return ""
    return _url(np.asarray(surroundings(photo, item.flag.box, _THUMB)))


def framed(photo: Photo, box: Box | None, size: int, others: Sequence[Box] = ()) -> np.ndarray:
    """Return the photo as uint8 with a frame around the box and thin ones around others.

    Args:
        size: most pixels of the longest side.
    """
    picture = photo.to_pil()
    factor = min(1.0, size / max(picture.size)) if size < _PHOTO else min(2.0, size / max(picture.size))
    sides = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    picture = picture.resize(sides, Image.Resampling.BILINEAR, reducing_gap=2.0)
    for other in others:
        ImageDraw.Draw(picture).rectangle(
            [round(value * factor) for value in other], outline="white", width=2
        )
    if box is not None:
        width = max(2, round(max(sides) / 160))
        corners = [round(value * factor) for value in box]
        draw_frame(picture, corners, width)
    return np.asarray(picture)


def _url(pixels: np.ndarray) -> str:
    data = base64.b64encode(encode_jpeg(np.ascontiguousarray(pixels), 82)).decode()
    return f"data:image/jpeg;base64,{data}"
