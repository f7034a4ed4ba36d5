"""Files written for the app hold the network that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from smartbreed.inference.runtime import Network
from training.export.litert import export_forms, round_to_half, save_half_weights, to_litert
from training.export.quantisation import correct_biases, output_layers, rounded_kernel
from training.models.mobilenet_v2 import build_classifier

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


@pytest.mark.slow
@pytest.mark.parametrize("half", [True, False])
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

    monkeypatch.setattr("training.export.litert._copy_half", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_half_weights(model, tmp_path / "classifier.weights.h5")
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith("full-")]


@pytest.fixture(scope="module")
def forms(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pictures = np.random.default_rng(7).integers(0, 256, (12, SIZE, SIZE, 3)).astype(np.uint8)
    before = model.get_weights()
    paths = export_forms(model, tmp_path_factory.mktemp("forms"), pictures)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # the network itself is not touched
    return paths


@pytest.mark.slow
def test_every_form_answers_alike_and_smaller_ones_are_smaller(
    model: Any, images: np.ndarray, forms: dict[str, Path]
) -> None:
    expected = {name: np.asarray(value) for name, value in model(images, training=False).items()}
    for form, allowed in (("float32", 1e-3), ("float16", 1e-3), ("int8", 0.15)):
        network = Network(forms[form], 1)
        for number, image in enumerate(images):
            output = network(image[None])
            assert set(output) == {"logits", "class_maps", "embedding"}
            for name, value in output.items():
                assert value.dtype == np.float32
                wanted = expected[name][number]
                assert np.abs(value[0] - wanted).mean() <= allowed * np.ptp(wanted), (form, name)
    sizes = [forms[form].stat().st_size for form in ("float32", "float16", "int8")]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.slow
def test_the_int8_form_is_int8_inside_and_float_where_it_answers(forms: dict[str, Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=str(forms["int8"])).get_tensor_details()
    kernels = [
        d for d in details if d["dtype"] == np.int8 and len(d["quantization_parameters"]["scales"]) > 1
    ]
    assert len(kernels) > 40  # one scale a channel
    maps = [d for d in details if tuple(d["shape"]) == (1, SIZE // 32, SIZE // 32, 6)]
    assert maps
    assert all(d["dtype"] == np.float32 for d in maps)
    outputs = Network(forms["int8"], 1)(np.zeros((1, SIZE, SIZE, 3), np.float32))
    means = outputs["class_maps"].mean((1, 2))
    np.testing.assert_allclose(outputs["logits"], means, atol=1e-4)  # Grad-CAM stays exact


def test_pictures_of_another_size_are_refused(model: Any, tmp_path: Path) -> None:
    for pictures in (np.zeros((0, SIZE, SIZE, 3), np.uint8), np.zeros((2, 32, 32, 3), np.uint8)):
        with pytest.raises(ValueError, match="Received: an array of shape"):
            export_forms(model, tmp_path, pictures)


def test_output_layers_are_the_heads_and_not_the_features(model: Any) -> None:
    assert output_layers(model) == ["class_maps", "embedding", "logits"]


def test_correcting_biases_takes_the_mean_shift_of_rounding_out() -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 1, name="plain")(image)
    x = keras.layers.DepthwiseConv2D(1, name="depthwise")(x)
    x = keras.layers.Conv2D(8, 1, use_bias=False, name="bare")(x)
    network = keras.Model(image, keras.layers.BatchNormalization(name="norm")(x))
    pictures = np.random.default_rng(1).uniform(0, 1, (8, 16, 16, 3)).astype(np.float32)

    def rounded() -> Any:
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        for name in ("plain", "depthwise", "bare"):
            kernel, *rest = copy.get_layer(name).get_weights()
            copy.get_layer(name).set_weights([rounded_kernel(kernel, depthwise=name == "depthwise"), *rest])
        return copy

    exact = network.predict(pictures, verbose=0)
    plain = np.abs((rounded().predict(pictures, verbose=0) - exact).mean((0, 1, 2))).mean()
    assert correct_biases(network, pictures) == 3
    corrected = np.abs((rounded().predict(pictures, verbose=0) - exact).mean((0, 1, 2))).mean()
    assert corrected < plain / 5


def test_a_rounded_kernel_has_255_steps_a_channel() -> None:
    kernel = np.random.default_rng(2).normal(size=(3, 3, 5, 4))
    error = np.abs(rounded_kernel(kernel, depthwise=False) - kernel).max((0, 1, 2))
    assert (error <= np.abs(kernel).max((0, 1, 2)) / 254 + 1e-12).all()
    assert not rounded_kernel(np.zeros((1, 1, 2, 2)), depthwise=False).any()
