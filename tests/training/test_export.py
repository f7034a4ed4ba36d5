"""Files written for the app hold the network that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from smartbreed.vision.runtime import Network
from training.architectures.mobilenet_v2 import build_classifier
from training.export import round_to_half, save_half_weights, to_litert

SIZE = 64


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(5)
    model = build_classifier(6, input_size=SIZE, alpha=0.35)
    rng = np.random.default_rng(5)
    model.set_weights([w + rng.normal(0, 0.05, w.shape) for w in model.get_weights()])
    round_to_half(model)
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(6).uniform(-1, 1, (4, SIZE, SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize("half", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_litert_computes_what_keras_does(model: Any, images: np.ndarray, tmp_path: Path, half: bool) -> None:
    path = tmp_path / "model.tflite"
    to_litert(model, path, half=half)
    expected = {name: np.asarray(value) for name, value in model(images, training=False).items()}
    network = Network(path, 1)
    for number, image in enumerate(images):
        output = network(image[None])
        assert set(output) == {"logits", "class_maps", "embedding"}
        for name, value in output.items():
            assert value.dtype == np.float32
            wanted = expected[name][number]
            np.testing.assert_allclose(value[0], wanted, atol=1e-3 * np.ptp(wanted))
    parameters = sum(w.size for w in model.get_weights())
    assert path.stat().st_size < parameters * (2 if half else 4) + 120_000


def test_rounding_is_to_float16_and_once(model: Any) -> None:
    weights = model.get_weights()
    for value in weights:
        np.testing.assert_array_equal(value, value.astype(np.float16).astype(np.float32))
    round_to_half(model)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_half_weights_come_back_exactly(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "classifier.weights.h5"
    save_half_weights(model, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing left behind
    other = build_classifier(6, input_size=SIZE, alpha=0.35)
    other.load_weights(path)
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, theirs)


def test_every_stored_array_is_float16(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "classifier.weights.h5"
    save_half_weights(model, path)
    found: list[Any] = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.append(item.dtype) if isinstance(item, h5py.Dataset) else None)
    assert len(found) == len(model.get_weights())
    assert set(found) == {np.dtype(np.float16)}


def test_a_failed_save_leaves_nothing(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("training.export._copy_half", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_half_weights(model, tmp_path / "classifier.weights.h5")
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith("full-")]
