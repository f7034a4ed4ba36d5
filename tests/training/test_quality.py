"""Pictures made worse, and what is learned from them about confidence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.tiny_bundle import BREEDS, SIZE, crops, write_bundle

from smartbreed.inference.bundle import write_config
from smartbreed.inference.picture_quality import Faults, faults_of
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.pixels import resample
from training.augment.crops import Mixing
from training.augment.degradations import DEGRADATIONS, degrade
from training.calibration.quality import MOST, fit_fault_weights, fit_other
from training.data.others import Others
from training.data.outliers import unnamed_of
from training.fitting.classifier import SetCrossentropy
from training.pipeline.stages import calibrate
from training.pipeline.stages.calibrate import degraded_faults, other_animals

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


def test_faults_are_measured_at_the_size_that_the_app_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crops of a dataset may be smaller than what the network takes."""
    monkeypatch.setattr(calibrate, "degrade", lambda image, rng: image)
    served = Identifier.load(write_bundle(tmp_path / "bundle"))
    shown = crops(size=SIZE // 2)
    whole = (0.0, 0.0, SIZE / 2, SIZE / 2)
    large = [resample(Image.fromarray(image), whole, (SIZE, SIZE)) for image in shown.images]
    measured: list[list[Faults]] = []

    def fit(
        logits: np.ndarray, labels: np.ndarray, faults: list[Faults], temperature: float
    ) -> dict[str, float]:
        measured.append(faults)
        return {}

    monkeypatch.setattr(calibrate, "fit_fault_weights", fit)
    nothing = np.zeros((0, len(BREEDS)))
    degraded_faults(served, shown, nothing, nothing[:, 0], 1.0, copies=1, caution=1.0, seed=0)
    assert measured == [[faults_of(image) for image in large]]
    assert measured != [[faults_of(image) for image in shown.images]]


@pytest.mark.slow
def test_a_finished_bundle_gets_faults_and_other_animals(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    served, shown = Identifier.load(folder), crops()
    logits = np.stack([served.classifier.run(image).logits for image in shown.images])
    found = {}
    for caution in (1.0, 2.0):
        found[caution] = degraded_faults(
            served, shown, logits, shown.labels, 1.0, copies=2, caution=caution, seed=0
        )
    assert found[2.0]["dark"] == pytest.approx(2 * found[1.0]["dark"], abs=1e-3)
    nothing = np.zeros(20, bool)
    others = Others(
        np.random.default_rng(0).integers(0, 9, (20, SIZE, SIZE, 3), dtype=np.uint8),
        np.full(20, -1), np.full(20, "wild"), np.full(20, "lynx"), nothing, nothing,
    )  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    config["classifier"] |= {"faults": found[1.0], "other": other_animals(served, shown, shown, others)}
    write_config(folder, config)
    again = Identifier.load(folder).classifier
    assert np.mean([again.is_other(again.run_measured(image).embedding) for image in others.images]) > 0.9
    assert np.mean([again.is_other(again.run_measured(image).embedding) for image in shown.images]) < 0.1
