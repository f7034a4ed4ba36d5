"""What the log says about the next epoch is what Keras' own callbacks would have done."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.fitting.classifier import WeightedCrossentropy, balanced_weights
from training.fitting.fit import NOTE, Backup
from training.fitting.progress import best_epoch, plateau_rate, should_stop


def log_of(values: list[float]) -> list[dict[str, float]]:
    return [{"top1": value, "val_loss": 1 - value} for value in values]


def test_the_best_epoch_is_the_first_of_equals() -> None:
    assert best_epoch(log_of([0.1, 0.5, 0.5, 0.2]), "top1") == 1
    assert best_epoch(log_of([0.1, 0.5, 0.5, 0.2]), "val_loss") == 1
    assert best_epoch([], "top1") == -1


def test_early_stopping_waits_its_patience() -> None:
    log = log_of([0.1, 0.5, 0.4, 0.5])
    assert not should_stop(log, "top1", 3)
    assert should_stop([*log, {"top1": 0.3}], "top1", 3)
    assert not should_stop(log, "top1", 0)
    assert not should_stop([], "top1", 2)


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), max_size=25), st.integers(1, 4))
def test_the_plateau_rule_is_that_of_keras(values: list[float], patience: int) -> None:
    """`keras.callbacks.ReduceLROnPlateau`, asked epoch by epoch."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    theirs = keras.callbacks.ReduceLROnPlateau("top1", factor=0.5, patience=patience, mode="max", min_delta=0)
    theirs.set_model(model)
    theirs.on_train_begin()
    log = log_of(values)
    for epoch, entry in enumerate(log):
        theirs.on_epoch_end(epoch, dict(entry))
        ours = plateau_rate(log[: epoch + 1], "top1", 0.1, patience, 0.5)
        assert ours == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)


def test_class_weights_weigh_mixtures_too() -> None:
    loss = WeightedCrossentropy(np.array([1.0, 3.0]))
    logits = np.array([[0.0, 0.0]], np.float32)
    for target, weight in (([1.0, 0.0], 1.0), ([0.0, 1.0], 3.0), ([0.5, 0.5], 2.0)):
        assert float(loss(np.array([target], np.float32), logits)) == pytest.approx(weight * np.log(2))


def test_balanced_weights_make_classes_count_alike() -> None:
    labels = np.array([0] * 30 + [1] * 10)
    weights = balanced_weights(labels, 2)
    assert weights[0] * 30 == pytest.approx(weights[1] * 10)
    assert weights[labels].mean() == pytest.approx(1)


def compiled() -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    return model


def test_a_backup_holds_the_optimizer_and_survives_a_torn_write(tmp_path: Path) -> None:
    model, data = compiled(), np.ones((4, 3), np.float32)
    model.fit(data, np.ones((4, 2)), verbose=0)
    backup = Backup(tmp_path / "backup")
    assert backup.restore(model) == 0
    backup.save(model, 1)
    # Killed while the next epoch's weights were being written: the note still names the whole ones.
    (tmp_path / "backup/epoch-0002.weights.h5").write_bytes(b"half a file")
    other = compiled()
    assert backup.restore(other) == 1
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations)
    backup.save(other, 2)
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["epoch-0002.weights.h5", NOTE]
