"""The pictures a maintainer judges by, as data URLs: they leave no file behind and need no address."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from PIL import Image

from smartbreed.errors import SmartBreedError
from smartbreed.images import Photo, encode_jpeg
from smartbreed.review.look import Box, pet_at
from smartbreed.review.pictures import draw_frame, stored_photo, surroundings
from smartbreed.review.queue import Item
from smartbreed.services import Services
from smartbreed.vision.results import Pet

#: Longest sides, pixels.
_PHOTO, _CROP, _THUMB = 900, 360, 200


@dataclass(frozen=True)
class Views:
    """What is shown of one flag; pictures are data URLs.

    Attributes:
        pet: what the present model says of it.
        photo: the whole photo with the pet's box.
        heats: ``(breed id, picture)``: what speaks for the model's answer, and for the person's
            or else the model's second one. A breed the model does not know has no picture.
        problem: why there are no pictures.
    """

    pet: Pet | None = None
    photo: str = ""
    heats: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def views(services: Services, item: Item) -> Views:
    """Pictures of one flag; a photo that is gone or damaged costs the pictures, not the page."""
    try:
        photo = stored_photo(services.flags.blobs, item.flag.sample_id, services.admission)
        identifier = services.identifier
        pet = pet_at(identifier, photo, item.flag.box)
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
    return Views(pet, _url(framed(photo, item.flag.box, _PHOTO)), heats)


def thumbnail(services: Services, item: Item) -> str:
    """The flagged pet and a little around it, small; empty when its photo cannot be read."""
    try:
        photo = stored_photo(services.flags.blobs, item.flag.sample_id, services.admission)
    except SmartBreedError:
        return ""
    return _url(np.asarray(surroundings(photo, item.flag.box, _THUMB)))


def framed(photo: Photo, box: Box | None, size: int) -> np.ndarray:
    """The photo, longest side at most ``size``, with a frame around the box; uint8."""
    picture = photo.to_pil()
    factor = min(1.0, size / max(picture.size)) if size < _PHOTO else min(2.0, size / max(picture.size))
    sides = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    picture = picture.resize(sides, Image.Resampling.BILINEAR, reducing_gap=2.0)
    if box is not None:
        width = max(2, round(max(sides) / 160))
        corners = [round(value * factor) for value in box]
        draw_frame(picture, corners, width)
    return np.asarray(picture)


def _url(pixels: np.ndarray) -> str:
    data = base64.b64encode(encode_jpeg(np.ascontiguousarray(pixels), 82)).decode()
    return f"data:image/jpeg;base64,{data}"
