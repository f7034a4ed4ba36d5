"""The pictures of the quiz: the photo of a round, its Grad-CAM, and the result card to share."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from smartbreed.i18n import gettext, translated
from smartbreed.imaging.photo import Box, Photo, encode_jpeg, read_photo
from smartbreed.inference.grad_cam import overlay
from smartbreed.inference.pipeline import Identifier

#: Longest side of a round's photo, in pixels.
_SIDE = 560
#: Width and height of the result card, in pixels.
_CARD = (1200, 630)


def round_photo(photo: Photo, box: Box | None, seed: int) -> bytes:
    """Return the pet of a photo as a JPEG with random margins, size, mirroring and quality.

    The bytes therefore differ in every round and from the gallery's own files, so a program cannot look the
    answer up in a list of known pictures.

    Args:
        box: the pet, in pixels; None for the whole photo.
        seed: of the random changes; the same seed gives the same bytes.
    """
    chance = random.Random(seed)
    picture = photo.to_pil()
    x0, y0, x1, y1 = box or (0, 0, picture.width, picture.height)
    margins = [chance.uniform(0.03, 0.12) * side for side in (x1 - x0, y1 - y0, x1 - x0, y1 - y0)]
    area = (
        max(x0 - margins[0], 0), max(y0 - margins[1], 0),
        min(x1 + margins[2], picture.width), min(y1 + margins[3], picture.height),
    )  # fmt: skip
    factor = _SIDE * chance.uniform(0.93, 1) / max(area[2] - area[0], area[3] - area[1])
    size = (max(8, round((area[2] - area[0]) * factor)), max(8, round((area[3] - area[1]) * factor)))
    cut = picture.resize(size, Image.Resampling.BICUBIC, area, 2.0)
    if chance.random() < 0.5:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return encode_jpeg(np.asarray(cut), chance.randint(84, 92))


@dataclass(frozen=True)
class Opinion:
    """The model's first guess for the picture that the player saw: breed id, name and probability (0…1)."""

    label: str
    name: str
    probability: float


def opinion(identifier: Identifier, jpeg: bytes) -> Opinion:
    """Return the model's guess for a round's picture."""
    guess = identifier.identify(read_photo(jpeg), whole=True, top_k=1).pets[0].breeds[0]
    return Opinion(guess.id, guess.name, guess.probability)


def heat(identifier: Identifier, jpeg: bytes, label: str) -> bytes:
    """Return the picture with its Grad-CAM for a breed on top, as JPEG.

    Raises:
        RequestError: the model does not know the breed.
    """
    photo = read_photo(jpeg)
    pet = identifier.identify(photo, whole=True).pets[0]
    return encode_jpeg(overlay(photo.pixels, identifier.heat(pet, label)), 88)


def share_card(name: str, points: int, lines: tuple[str, ...]) -> bytes:
    """Return the result card as PNG, with name, points and up to two lines, in the current language."""
    card = Image.new("RGB", _CARD, "#faf5ee")
    draw = ImageDraw.Draw(card)
    draw.rounded_rectangle((40, 40, 1160, 590), 36, fill="#fffdf9", outline="#e9dccb", width=3)
    draw.rounded_rectangle((90, 90, 174, 174), 20, fill="#b3451a")
    for x, y, r in ((132, 142, 18), (108, 124, 9), (122, 110, 9), (142, 110, 9), (156, 124, 9)):
        draw.ellipse((x - r, y - r, x + r, y + r), fill="white")
    _write(draw, (196, 132), gettext("SmartBreed quiz"), 44, "#2a211a", "lm")
    _write(draw, (90, 232), name, 46, "#6b5a4a", "lm")
    _write(draw, (86, 345), f"{points:,}", 150, "#b3451a", "lm")
    width = draw.textlength(f"{points:,}", font=ImageFont.load_default(150))
    _write(draw, (110 + width, 375), gettext("points"), 52, "#6b5a4a", "lm")
    for place, line in enumerate(lines[:2]):
        _write(draw, (90, 470 + 60 * place), translated(line), 40, "#2a211a", "lm")
    buffer = io.BytesIO()
    card.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, fill: str, anchor: str
) -> None:
    """Draw a line of text, shrunk to fit; characters that the font lacks become question marks."""
    shown = "".join(c if (c.isprintable() and ord(c) < 0x250) or (c in "…–’“”") else "?" for c in text)
    font = ImageFont.load_default(size)
    while draw.textlength(shown, font=font) > _CARD[0] - 180 and size > 16:
        size -= 2
        font = ImageFont.load_default(size)
    draw.text(at, shown, fill=fill, font=font, anchor=anchor)
