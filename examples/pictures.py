"""Pictures of the feedback loop: the same photographs before and after, accuracy per version."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from smartbreed.web.components.sentences import percent

if TYPE_CHECKING:
    from smartbreed.inference.results import Pet

_SIDE, _TEXT, _GAP = 220, 62, 16
_INK, _GOOD, _BAD, _PAPER = "#2b241e", "#2f6b45", "#8a2413", "#fffdfa"


def answers(
    path: Path, photos: list[bytes], before: list[Pet], after: list[Pet], breed: str, most: int = 5
) -> None:
    """Write a sheet; each column shows a held-out photograph and its answers before and after."""
    columns = list(zip(photos, before, after, strict=False))[:most]
    sheet = Image.new("RGB", (len(columns) * (_SIDE + _GAP) + _GAP, _SIDE + 2 * _TEXT + 2 * _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for place, (data, first, second) in enumerate(columns):
        left = _GAP + place * (_SIDE + _GAP)
        with Image.open(io.BytesIO(data)) as photo:
            sheet.paste(photo.convert("RGB").resize((_SIDE, _SIDE)), (left, _GAP))
        for row, (when, pet) in enumerate((("before", first), ("after", second))):
            guess = pet.breeds[0]
            top = _GAP + _SIDE + 8 + row * _TEXT
            draw.text((left, top), when, fill=_INK, font=ImageFont.load_default(12))
            colour = _GOOD if guess.id == breed else _BAD
            draw.text((left, top + 17), f"{guess.name}, {percent(guess.probability)}", fill=colour, font=font)
    sheet.save(path)


def plot(path: Path, versions: Sequence[str], shares: Sequence[tuple[float, float]], breed: str) -> None:
    """Write a plot of accuracy per version: of the new breed, and of all others."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, colour) in enumerate(((breed, "#b3451a"), ("all other breeds", "#1f6f8b"))):
        values = [100 * share[place] for share in shares]
        axes.plot(versions[: len(values)], values, marker="os"[place], color=colour, label=name)
        for version, value in zip(versions, values, strict=False):
            axes.annotate(f"{value:.1f}%", (version, value), (0, 8), textcoords="offset points", ha="center")
    axes.margins(x=0.18)
    axes.set(ylim=(0, 112), ylabel="named right, %", title="Photographs held back from training")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, loc="center right")
    figure.savefig(path, dpi=150)
