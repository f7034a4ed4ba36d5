"""Draws photos with numbered boxes, and thumbnails."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from smartbreed.imaging.photo import Photo
from smartbreed.inference.results import Pet
from smartbreed.web.components.sentences import colour, short_name

#: Longest side of the photo as shown, in pixels.
SHOWN_SIZE = 900
_BORDER = 4

Annotated = tuple[np.ndarray, list[tuple[np.ndarray, str]]]


def annotate(photo: Photo, pets: tuple[Pet, ...]) -> tuple[Annotated, dict[str, str]]:
    """Return value and colour map for `gr.AnnotatedImage`: a frame per pet, its number drawn on the photo.

    Gradio fills boxes with a half-transparent colour, which hides the pet; masks leave it visible.
    """
    # Enlarge small photos; otherwise their frames would look coarse.
    factor = min(2.0, SHOWN_SIZE / max(photo.width, photo.height))
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    picture = photo.to_pil().resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(15, round(max(size) / 36)))
    annotations, colours = [], {}
    for number, pet in enumerate(pets, 1):
        x0, y0, x1, y1 = (round(v * factor) for v in pet.box)
        label = f"{number}  {short_name(pet)}"
        colours[label] = colour(number)
        annotations.append((_frame(size, (x0, y0, x1, y1)), label))
        _badge(draw, (x0, y0), str(number), colours[label], font)
    return (np.asarray(picture), annotations), colours


def thumbnail(photo: Photo, size: int = 180) -> np.ndarray:
    """Return a uint8 thumbnail whose longest side is at most ``size`` pixels."""
    picture = photo.to_pil()
    picture.thumbnail((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(picture)


@cache
def no_thumbnail(size: int = 120) -> np.ndarray:
    """Return the placeholder for a photo that could not be used."""
    picture = Image.new("RGB", (size, size), "#f1dcd5")
    draw = ImageDraw.Draw(picture)
    draw.text((size / 2, size / 2), "!", fill="#8a2413", font=ImageFont.load_default(size / 2), anchor="mm")
    return np.asarray(picture)


def _frame(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), np.float32)
    x0, y0, x1, y1 = box
    mask[max(y0, 0) : y1, max(x0, 0) : x1] = 1
    mask[max(y0, 0) + _BORDER : max(y1 - _BORDER, 0), max(x0, 0) + _BORDER : max(x1 - _BORDER, 0)] = 0
    return mask


def _badge(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    fill: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    x, y = max(corner[0], 0), max(corner[1], 0)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    side = round(max(right - left, bottom - top) * 1.3 + 12)
    draw.rectangle((x, y, x + side, y + side), fill=fill)
    draw.text((x + side / 2, y + side / 2), text, fill="white", font=font, anchor="mm")
