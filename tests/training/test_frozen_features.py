"""Stored features of frozen layers, and the layers that are quicker to train, change nothing but the time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest
import tensorflow as tf

from smartbreed.core.errors import StorageError
from training.augment.crops import CropAugmentation
from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.data import Crops
from training.fitting.batches import scale
from training.fitting.classifier import train_classifier
from training.fitting.frozen_features import FeatureBatches, FrozenFeatures, copy_weights, top_of
from training.fitting.quick_layers import depthwise, pointwise
from training.models.mobilenet_v2 import build_classifier
from training.recipe.file import load_recipe

CUT = "block_12_add"


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_classifier(5, input_size=64, alpha=0.35)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    return small.repeat(8, 1).repeat(8, 2)


def gradients(of: object, *inputs: tf.Tensor) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = of(*inputs)  # type: ignore[operator]
    weight = tf.reshape(tf.range(tf.size(y), dtype=tf.float32) % 7 - 3, tf.shape(y))
    return [y.numpy(), *(g.numpy() for g in tape.gradient(y, inputs, weight))]


@pytest.mark.parametrize("side", [3, 5])
def test_depthwise_gradients_are_tensorflows(side: int) -> None:
    rng = np.random.default_rng(0)
    x, k = (tf.constant(rng.normal(size=s), tf.float32) for s in ((3, 6, 9, 4), (side, side, 4, 1)))
    plain = gradients(lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"), x, k)
    for ours, theirs in zip(gradients(depthwise, x, k), plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


def test_pointwise_is_as_exact_as_eight_bits_of_fraction() -> None:
    rng = np.random.default_rng(0)
    x, k = (tf.constant(rng.normal(size=s), tf.float32) for s in ((3, 6, 9, 4), (4, 8)))
    for ours, theirs in zip(gradients(pointwise, x, k), gradients(lambda x, k: x @ k, x, k), strict=True):
        assert np.abs(ours - theirs).max() < 0.02 * np.abs(theirs).max()


@pytest.mark.slow
def test_the_top_on_stored_features_answers_as_the_whole(
    model: keras.Model, images: np.ndarray, tmp_path: Path
) -> None:
    features = FrozenFeatures(model, CUT, tmp_path, images, 2, CropAugmentation(), 0)
    top = top_of(model, CUT)
    stored = top.predict_on_batch(features.of(np.zeros(12, int), np.arange(12)))
    whole = model.predict_on_batch(scale(images))
    assert np.corrcoef(stored["embedding"].ravel(), whole["embedding"].ravel())[0, 1] > 0.98
    again = top_of(model, CUT)
    again.get_layer("class_maps").set_weights([w + 1 for w in again.get_layer("class_maps").get_weights()])
    other = build_classifier(5, input_size=64, alpha=0.35)
    copy_weights(again, other)
    np.testing.assert_array_equal(
        other.get_layer("class_maps").get_weights()[1], again.get_layer("class_maps").get_weights()[1]
    )


def test_batches_show_every_view_and_repeat(model: keras.Model, images: np.ndarray, tmp_path: Path) -> None:
    features = FrozenFeatures(model, CUT, tmp_path, images, 2, CropAugmentation(), 0)
    targets = np.eye(12, dtype=np.float32)
    batches, again = (FeatureBatches(features, targets, 4, seed=1) for _ in range(2))
    np.testing.assert_array_equal(batches[1][0], again[1][0])
    views = set()
    for epoch in range(2):
        batches.start_epoch(epoch)
        for shown, target in (batches[step] for step in range(3)):
            for values, label in zip(shown, target.argmax(1), strict=True):
                views |= {v for v in range(2) if np.array_equal(values, features.of([v], [label])[0])}
    assert views == {0, 1}


def test_space_is_reserved_before_features_are_stored(
    model: keras.Model, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a disk that becomes full kills the process."""
    missing: list[int] = []

    def look(count: int) -> None:
        found = (tmp_path / "features.npy").stat()
        missing.append(found.st_size - found.st_blocks * 512)

    FrozenFeatures(model, "block_2_add", tmp_path, np.repeat(images[:1], 500, 0), 1, None, 0, look)
    assert missing[0] <= 0

    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="The features were not written: the disk is full"):
        FrozenFeatures(model, CUT, tmp_path, images, 1, None, 0)


def test_a_cut_inside_a_block_is_refused_before_the_features(images: np.ndarray, tmp_path: Path) -> None:
    start = build_classifier(3, input_size=64, alpha=0.35)
    start.save_weights(tmp_path / "start.weights.h5")
    recipe = load_recipe("cifar10", [
        "data.source=x", "model.backbone=mobilenet_v2", "model.input_size=64", "model.alpha=0.35",
        f"model.start={tmp_path / 'start.weights.h5'}", "model.freeze_till=block_12_project", "train.cache=1",
        "train.epochs=1", "train.batch=4", "head.epochs=1", "head.least_steps=1",
    ])  # fmt: skip
    crops = Crops(images, np.arange(12) % 3, np.zeros(12, int), [""] * 12, [""] * 12, ["ant", "bee", "cow"])
    run = RunDirectory(tmp_path / "run", quiet=True)
    with pytest.raises(RecipeError, match=r"end of a block.*Received: model.freeze_till=block_12_project$"):
        train_classifier(recipe, run, crops, crops)
    assert not (run / "features").exists()


def test_a_layer_that_reads_what_was_cut_away_is_named(model: keras.Model) -> None:
    with pytest.raises(ValueError, match="block_12_add reads more than block_12_project gives"):
        top_of(model, "block_12_project")
