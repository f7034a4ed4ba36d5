"""Batches are the same for the same seed, and a killed fit goes on from its last epoch."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from support.clock import until
from support.processes import ROOT, kill, start

from training.augment.crops import CropAugmentation, Mixing
from training.data.outliers import outlier_crops
from training.fitting.batches import CropBatches, oversampled
from training.fitting.fit import FitSettings, TowardsStart, fit, freeze_till
from training.models.embeddings import scale

#: A run of a tiny network that a test can kill: ``python -c CODE RUN EPOCHS PAUSE``.
CODE = """
import sys, time
from pathlib import Path
import keras, numpy as np
from training.fitting.batches import CropBatches
from training.fitting.fit import FitSettings, fit

run, epochs, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
images = rng.integers(0, 255, (32, 8, 8, 3)).astype("uint8")
targets = np.eye(2, dtype="float32")[(images.mean((1, 2, 3)) > 127).astype(int)]
model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
loss = keras.losses.CategoricalCrossentropy(from_logits=True)

def evaluate():
    time.sleep(pause)
    return {}

fit(model, CropBatches(images, targets, 8, 5), FitSettings(epochs=epochs, rate=1e-2), run, loss=loss,
    evaluate=evaluate, save=model.save_weights)
print("sum", float(sum(abs(w).sum() for w in model.get_weights())))
"""


def start_fit(run: Path, pause: float) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return start("-c", CODE, run, "4", str(pause), env=env)


def total(process: subprocess.Popen[str]) -> float:
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return float(out.split("sum")[-1])


@pytest.mark.slow
def test_a_killed_fit_ends_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    whole = start_fit(tmp_path / "whole", 0)
    killed = start_fit(tmp_path / "killed", 1.0)
    log = tmp_path / "killed" / "log.json"
    until((tmp_path / "killed" / "backup" / "training_metadata.json").exists)
    kill(killed)
    done = len(json.loads(log.read_text()))
    assert 1 <= done < 4
    resumed = total(start_fit(tmp_path / "killed", 0))
    assert resumed == pytest.approx(total(whole), rel=1e-4)
    assert [entry["epoch"] for entry in json.loads(log.read_text())] == [1, 2, 3, 4]


def crops(count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (count, 32, 32, 3)).astype(np.uint8)
    return images, np.eye(5, dtype=np.float32)[np.arange(count) % 5]


def test_the_same_seed_and_epoch_give_the_same_batches() -> None:
    images, targets = crops()
    options = {"augment": CropAugmentation(), "mixing": Mixing(mixup=0.5, cutmix=0.5)}
    one, two = (CropBatches(images, targets, 4, 9, **options) for _ in range(2))
    one.start_epoch(3)
    for _ in range(3):
        two.on_epoch_end()
    for (a, b), (c, d) in zip((one[i] for i in range(5)), (two[i] for i in range(5)), strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    two.start_epoch(4)
    assert not np.array_equal(one[0][0], two[0][0])


def test_oversampling_draws_as_often_as_the_recipe_says() -> None:
    times = np.array([1.0, 2.5, 0.0, 1.0])
    drawn = np.stack(
        [np.bincount(oversampled(times)(np.random.default_rng(i)), minlength=4) for i in range(400)]
    )
    np.testing.assert_allclose(drawn.mean(0), times, atol=0.1)
    images, targets = crops(4)
    batches = CropBatches(images, targets, 2, 0, draw=oversampled(times))
    steps = len(batches)
    for epoch in range(20):
        batches.start_epoch(epoch)
        assert len(batches) == steps
        assert all(len(batches[i][0]) == 2 for i in range(steps))


def test_scale_is_the_networks_preprocessing() -> None:
    np.testing.assert_allclose(scale(np.array([0, 255], np.uint8)), [-1, 1])


def test_freeze_till_freezes_up_to_and_including() -> None:
    model = keras.Sequential([keras.Input((4,)), *[keras.layers.Dense(3, name=f"d{i}") for i in range(3)]])
    assert freeze_till(model, "d1") == 2
    assert [layer.trainable for layer in model.layers] == [False, False, True]
    assert freeze_till(model, "") == 0
    assert all(layer.trainable for layer in model.layers)
    with pytest.raises(ValueError, match=r"weights are d0, d1, d2\. Received: freeze_till=nothing"):
        freeze_till(model, "nothing")


def test_the_pull_towards_the_start_holds_the_head(tmp_path: Path) -> None:
    images, targets = crops(40)
    moved = []
    for pull in (0.0, 10.0):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((32, 32, 3))
        dense = keras.layers.Dense(5)
        model = TowardsStart(inputs, dense(keras.layers.GlobalAveragePooling2D()(inputs)))
        model.anchor(dense.kernel, pull)
        start = dense.get_weights()[0]
        fit(
            model, CropBatches(images, targets, 8, 1), FitSettings(epochs=3, rate=0.05, towards_start=pull),
            tmp_path / str(pull), loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            evaluate=dict, save=model.save_weights, report=lambda entry: None,
        )  # fmt: skip
        moved.append(np.abs(dense.get_weights()[0] - start).max())
    assert moved[1] < 0.5 * moved[0]


def test_outliers_are_the_whole_picture_and_parts_of_it() -> None:
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[:, 45:] = 200
    result = outlier_crops([picture, picture], seed=1, cuts=2, size=32)
    assert result.shape == (6, 32, 32, 3)
    assert result[0, :, :12].max() == 0
    assert result[0, :, 20:].min() == 200
    np.testing.assert_array_equal(result, outlier_crops([picture, picture], seed=1, cuts=2, size=32))
