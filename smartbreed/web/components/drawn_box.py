"""What ``box.js`` sends of a box that a person drew, in pixels of the photo."""

from __future__ import annotations

import json
import math

from smartbreed.core.errors import FlagError
from smartbreed.imaging.photo import Box


def corners(text: str | None, width: int, height: int) -> Box | None:
    """``(x0, y0, x1, y1)`` in pixels; None where nothing was drawn.

    Args:
        text: JSON of four shares of the photo's sides, each 0…1; empty: nothing was drawn.
        width, height: of the photo, pixels.

    Raises:
        FlagError: ``bad_box``: it is something else.
    """
    if not text:
        return None
    try:
        x0, y0, x1, y1 = (float(side) for side in json.loads(text))
    except (TypeError, ValueError, RecursionError):
        x0 = y0 = x1 = y1 = math.nan
    if not all(0 <= side <= 1 for side in (x0, y0, x1, y1)):  # not for NaN either
        raise FlagError("bad_box", "The box on the photo could not be read; draw it again.")
    return x0 * width, y0 * height, x1 * width, y1 * height
