"""Species as sources write them → the numbers used here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.common.errors import DataError

_NUMBERS = {"cat": 0, "cats": 0, "0": 0, "dog": 1, "dogs": 1, "1": 1, "": -1, "-1": -1}


def species_number(value: Any, names: Sequence[str] | None = None) -> int:
    """0 for a cat, 1 for a dog, -1 where the source does not say.

    Args:
        value: ``cat``, ``Dog``, 0, 1, nothing; or a number into ``names``.
        names: of a ClassLabel; None: the column holds plain texts or numbers.

    Raises:
        DataError: it is none of these.
    """
    if value is None or value != value:  # a missing number is a nan, which equals nothing
        return -1
    if names and not isinstance(value, str) and 0 <= int(value) < len(names):
        value = names[int(value)]
    text = (
        value.strip().lower() if isinstance(value, str) else str(int(value) if value == int(value) else value)
    )
    if text not in _NUMBERS:
        raise DataError(f"A species is cat (or 0), dog (or 1), or left empty. Received: {value}")
    return _NUMBERS[text]
