"""A breed taken out of the head comes back from ten photos, and the others hardly notice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import loop

PETS = Path(os.environ.get("SMARTBREED_TEST_PETS", Path(__file__).parents[3] / "shared" / "data" / "pets"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    not (PETS / "breeds").is_dir(),
    reason="needs the photographs of ../shared/data/pets (or SMARTBREED_TEST_PETS)",
)
def test_ten_photos_teach_a_breed_without_forgetting_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The goals of docs/retraining.md, measured by the benchmark itself on the bundle that ships."""
    measured: dict[str, list[Any]] = {}
    monkeypatch.setattr(loop, "_row", lambda table, name, rows, style="": measured.update({name: rows}))
    loop.new_breeds(PETS, ["keeshond"], draws=1, photos=10)  # draws are seeded by their number
    ((breed, named_right, others_lose, _),) = measured["keeshond"]
    assert breed == "keeshond"
    assert named_right >= 0.80, "of its unseen photos"
    assert others_lose <= 0.5, "points, of all other test photos"
