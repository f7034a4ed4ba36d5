"""Pictures made worse, and what is learned from them about confidence."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from smartbreed.inference.picture_quality import Faults
from training.augment.crops import Mixing
from training.augment.degradations import DEGRADATIONS, degrade
from training.calibration.quality import MOST, fit_fault_weights, fit_other
from training.data.outliers import unnamed_of
from training.fitting.classifier import SetCrossentropy

STRIPES = Image.fromarray(
    ((np.mgrid[:64, :64].sum(0) // 4 % 2 * 200)[..., None] + [0, 20, 55]).astype(np.uint8)
)


@pytest.mark.parametrize("name", list(DEGRADATIONS))
def test_a_degraded_picture_is_another_of_the_same_size_and_repeats(name: str) -> None:
    first, again = (DEGRADATIONS[name](STRIPES, np.random.default_rng(3)) for _ in range(2))
    assert (first.size, first.mode) == (STRIPES.size, "RGB")
    assert first.tobytes() == again.tobytes() != STRIPES.tobytes()


def test_every_degradation_is_drawn() -> None:
    seen = {degrade(STRIPES, np.random.default_rng(seed)).tobytes() for seed in range(30)}
    assert len(seen) > len(DEGRADATIONS)


def test_only_the_fault_that_makes_answers_worse_counts() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(5, size=4000)
    dark = rng.uniform(0, 3, 4000)
    noise = rng.normal(0, 1, (4000, 5)) * np.exp(0.5 * dark)[:, None]
    logits = 3 * np.eye(5)[labels] + noise  # the network is as sure of what it cannot see
    faults = [Faults(dark=d, noisy=n) for d, n in zip(dark, rng.uniform(0, 3, 4000), strict=True)]
    weights = fit_fault_weights(logits, labels, faults, 0.4)
    assert weights["dark"] > 0.3
    assert weights["noisy"] < 0.1
    assert weights["most"] == MOST


def test_others_are_recognised_and_few_pets_are_lost() -> None:
    rng = np.random.default_rng(0)
    pets, others = rng.normal(0, 1, (500, 8)), rng.normal(1.5, 1, (500, 8))
    found = fit_other(pets[:400], others, pets[400:], ridge=1.0, lost=0.01)
    weights, bias, threshold = found["weights"], found["bias"], found["threshold"]
    assert isinstance(bias, float)
    assert isinstance(threshold, float)
    pet, other = (
        1 / (1 + np.exp(-(rows @ np.array(weights) + bias))) >= threshold for rows in (pets, others)
    )
    assert pet.mean() <= 0.03
    assert other.mean() > 0.8


def test_a_cat_of_no_breed_may_be_any_cat() -> None:
    logits = np.log([[0.3, 0.2, 0.5], [0.3, 0.2, 0.5]]).astype(np.float32)
    targets = unnamed_of(np.zeros((2, 1, 1, 3), np.uint8), np.array([0, -1]), np.array([0, 0, 1])).targets
    losses = np.asarray(SetCrossentropy().call(targets, logits))
    assert losses == pytest.approx([-np.log(0.5), -np.log([0.3, 0.2, 0.5]).mean()], abs=1e-4)
    images = np.zeros((2, 4, 4, 3), np.float32)
    mixed = Mixing(mixup=1.0)(images, np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.random.default_rng(0))
    assert mixed[1] == pytest.approx(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
