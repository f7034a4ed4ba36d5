"""Real photographs, broken by the generator of `benchmarks.fuzz`, are read or refused with a known code."""

from __future__ import annotations

from support.photos import pet_scenes

from benchmarks.fuzz import inputs, read
from smartbreed.core.errors import PHOTO_CODES


def test_a_broken_photograph_is_read_or_refused() -> None:
    photos = [row["image"]["bytes"] for row in pet_scenes(2)]
    said = [read(data) for _, _, _, data in inputs(250, 7, photos)]
    assert set(said) <= {"answered", *PHOTO_CODES}
    assert {"answered", "truncated", "damaged", "unsupported_format"} <= set(said)
