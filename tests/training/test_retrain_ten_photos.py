"""Breeds taken out of the head come back from ten photos each, and the others hardly notice."""

from __future__ import annotations

import numpy as np
import pytest
from support.photos import PUBLIC, needs_public

from benchmarks import loop

BREEDS = ("pug", "keeshond", "siamese", "norfolk_terrier", "toy_poodle")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@needs_public
def test_a_breed_is_learnt_from_ten_photos_without_forgetting_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The goals of docs/retraining.md, measured by the benchmark itself on the bundle that ships."""
    measured: list[tuple[str, float, float, float]] = []
    monkeypatch.setattr(loop, "_row", lambda table, name, rows, style="": measured.extend(rows))
    loop.new_breeds(PUBLIC, list(BREEDS), draws=1, photos=10)  # draws are seeded by their number
    rows = {breed: (right, lose) for breed, right, lose, _ in measured}
    assert set(rows) == set(BREEDS)
    assert np.mean([right for right, _ in rows.values()]) >= 0.80, "of their unseen photos"
    assert np.mean([lose for _, lose in rows.values()]) <= 0.5, "points, of all other test photos"
