"""Mixing keeps what a batch is: pictures in range, targets that sum to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.augment.crops import Mixing


def batch(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    targets = np.eye(4, dtype=np.float32)[rng.integers(4, size=count)]
    return rng.uniform(-1, 1, (count, 8, 12, 3)).astype(np.float32), targets


@given(st.integers(0, 10_000), st.integers(1, 7), st.sampled_from(["mixup", "cutmix"]))
@settings(max_examples=60)
def test_targets_stay_distributions_and_pictures_in_range(seed: int, count: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    images, targets = batch(rng, count)
    before = images.copy()
    mixed, soft = Mixing(**{kind: 1.0})(images, targets, rng)
    assert mixed.shape == images.shape
    assert mixed.dtype == soft.dtype == np.float32
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-5)
    assert soft.min() >= 0
    assert abs(mixed).max() <= 1 + 1e-6
    np.testing.assert_array_equal(images, before)


def test_cutmix_weighs_targets_by_the_area_left() -> None:
    rng = np.random.default_rng(3)
    images = np.stack([np.zeros((20, 20, 3), np.float32), np.ones((20, 20, 3), np.float32)])
    targets = np.eye(2, dtype=np.float32)
    seen_cut = 0
    for _ in range(40):
        mixed, soft = Mixing(cutmix=1.0)(images, targets, rng)
        np.testing.assert_allclose(soft[0, 1], mixed[0].mean(), atol=1e-5)
        seen_cut += 0 < mixed[0].mean() < 1
    assert seen_cut > 5


def test_no_mixing_returns_the_batch_itself() -> None:
    rng = np.random.default_rng(0)
    images, targets = batch(rng, 3)
    mixed, soft = Mixing()(images, targets, rng)
    assert mixed is images
    assert soft is targets


@pytest.mark.parametrize("values", [{"mixup": 0.7, "cutmix": 0.7}, {"mixup": -0.1}])
def test_impossible_probabilities_are_named(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Received: mixup="):
        Mixing(**values)
