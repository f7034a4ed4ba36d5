"""Contact sheets: many pictures in one, each with a line of text below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

#: RGB of background and text.
PAPER, INK = (252, 248, 242), (59, 47, 42)
#: Height of a caption in pixels.
_TEXT = 15


def contact_sheet(
    pictures: Sequence[np.ndarray], captions: Sequence[str], path: Path, *, columns: int = 6, side: int = 128
) -> None:
    """Write a contact sheet as PNG.

    Args:
        pictures: uint8 ``(height, width, 3)``, at least one.
        captions: one per picture; shortened to fit.
        path: file to write.
        columns: pictures in a row.
        side: longest side of each picture in pixels.
    """
    rows = -(-len(pictures) // columns)
    cell = side + _TEXT + 6
    columns = min(columns, len(pictures))
    sheet = Image.new("RGB", (columns * (side + 8) + 8, rows * cell + 8), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = 8 + number % columns * (side + 8), 8 + number // columns * cell
        image = Image.fromarray(picture)
        enlarged = max(image.size) < side
        image = ImageOps.contain(
            image, (side, side), Image.Resampling.NEAREST if enlarged else Image.Resampling.BICUBIC
        )
        sheet.paste(image, (x, y))
        draw.text((x, y + side + 1), _fitting(caption, side, font), INK, font)
    sheet.save(path)


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
