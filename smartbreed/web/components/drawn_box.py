"""Reads the box that a person drew on a photo, as sent by ``box.js``."""

from __future__ import annotations

import json
import math

from smartbreed.core.errors import FlagError
from smartbreed.imaging.photo import Box


def corners(text: str | None, width: int, height: int) -> Box | None:
    """Return the box as ``(x0, y0, x1, y1)`` in pixels; None if nothing was drawn.

    Args:
        text: JSON list of x0, y0, x1, y1 as shares of the photo's sides, each 0…1; empty if there is no box.
        width, height: size of the photo in pixels.

    Raises:
        FlagError: ``bad_box`` if the text is anything else.
    """
    if not text:
        return None
    try:
        x0, y0, x1, y1 = (float(side) for side in json.loads(text))
    except (TypeError, ValueError, RecursionError):
        x0 = y0 = x1 = y1 = math.nan
    if not all(0 <= side <= 1 for side in (x0, y0, x1, y1)):  # rejects NaN too
        raise FlagError("bad_box", "The box on the photo could not be read; draw it again.")
    return x0 * width, y0 * height, x1 * width, y1 * height
