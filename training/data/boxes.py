"""Boxes as sources write them → four numbers each."""

from __future__ import annotations

from typing import Any

from smartbreed.imaging.photo import Box
from training.common.errors import DataError


def box_list(value: Any) -> list[Box]:
    """The boxes of a cell that holds one, a list of them, or nothing.

    Raises:
        DataError: something in it is no box.
    """
    if value is None:
        return []
    several = isinstance(value, (list, tuple)) and all(isinstance(box, (list, tuple)) for box in value)
    return [_box(box) for box in (value if several else [value])]


def _box(value: Any) -> Box:
    numbers = value if isinstance(value, (list, tuple)) else ()
    if len(numbers) != 4 or not all(isinstance(side, (int, float)) for side in numbers):
        raise DataError(f"A box is four numbers: x0, y0, x1, y1 in pixels. Received: {value}")
    x0, y0, x1, y1 = (float(side) for side in numbers)
    return x0, y0, x1, y1
