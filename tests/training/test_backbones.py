"""Every backbone by name: class maps, start weights, freezing, and back from a bundle's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle
from training.common.errors import InitialWeightsError, RecipeError
from training.fitting.fit import freeze_till
from training.models.applications import EXPECTS, application
from training.models.backbones import BACKBONES, backbone_layers, build_backbone
from training.models.initial_network import build_start
from training.recipe.recipe import Model

SIZE = 64
#: One of each kind of preprocessing, the smallest of its kind.
KINDS = (
    "MobileNet",
    "VGG16",
    "MobileNetV3Small",
    pytest.param("DenseNet121", marks=pytest.mark.slow),
    pytest.param("EfficientNetB0", marks=pytest.mark.slow),
)


def pixels(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.float32)


def randomise(model: keras.Model) -> None:
    """Weights and statistics that differ from layer to layer, so that order and names count."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(0.5, 1.5, width), rng.normal(0, 0.3, width),
                               rng.normal(0, 0.3, width), rng.uniform(0.5, 1.5, width)])  # fmt: skip


def test_the_names_of_the_issue_are_there() -> None:
    assert {"mobilenet_v2", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0",
            "EfficientNetV2B0", "ResNet50", "VGG16", "small_cnn"} <= set(BACKBONES)  # fmt: skip
    assert all(hasattr(keras.applications, name) for name in EXPECTS)


@pytest.mark.parametrize("name", ["mobilenet_v2", "small_cnn", "MobileNetV3Small"])
def test_class_maps_average_to_logits(name: str) -> None:
    model = build_backbone(name, 5, input_size=SIZE, alpha=0.75)
    output = model(pixels() / 127.5 - 1, training=False)
    assert output["class_maps"].shape == (2, 2, 2, 5)
    np.testing.assert_allclose(np.mean(output["class_maps"], (1, 2)), output["logits"], atol=1e-5)
    assert output["embedding"].shape[0] == 2


def test_an_unknown_backbone_or_size_is_one_sentence() -> None:
    with pytest.raises(
        RecipeError, match=r"must be one of mobilenet_v2, small_cnn.*Received: model.backbone=Alex"
    ):
        build_backbone("Alex", 5, input_size=64, alpha=1.0)
    with pytest.raises(RecipeError, match=r"multiple of 32.*Received: model.input_size=50"):
        build_backbone("mobilenet_v2", 5, input_size=50, alpha=1.0)
    with pytest.raises(RecipeError, match="no width multiplier"):
        build_backbone("VGG16", 5, input_size=64, alpha=0.5)


@pytest.mark.parametrize("name", KINDS)
def test_the_graph_prepares_pixels_as_keras_applications_does(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Start `imagenet`: our network on -1…1 equals the published one on its own preprocessing."""
    keras.utils.set_random_seed(3)
    published = application(name, SIZE)
    randomise(published)
    stored = tmp_path / "published.weights.h5"
    published.save_weights(stored)
    # Nothing but the download is replaced: keras builds and loads as it always does.
    load = keras.Model.load_weights

    def from_disk(model: keras.Model, path: Any, *args: Any, **options: Any) -> None:
        load(model, stored if str(path) == "downloaded" else path)

    monkeypatch.setattr(keras.Model, "load_weights", from_disk)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *args, **options: "downloaded")
    theirs = getattr(keras.applications, name)(
        include_top=False, weights="imagenet", input_shape=(SIZE, SIZE, 3)
    )
    ours = build_start(Model(backbone=name, input_size=SIZE, start="imagenet"), 4).model
    package = {
        "MobileNet": "mobilenet", "VGG16": "vgg16", "DenseNet121": "densenet",
        "MobileNetV3Small": "mobilenet_v3", "EfficientNetB0": "efficientnet",
    }[name]  # fmt: skip
    prepared = getattr(keras.applications, package).preprocess_input(pixels().copy())
    expected = np.asarray(theirs(prepared, training=False)).mean((1, 2))
    found = np.asarray(ours(pixels() / 127.5 - 1, training=False)["embedding"])
    assert np.abs(expected).mean() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())


def test_imagenet_out_of_reach_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise Exception("URL fetch failure on https://…")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", unreachable)
    for backbone in ("MobileNetV3Small", "mobilenet_v2"):
        sentence = f"The ImageNet weights of {backbone} could not be downloaded; .*bundle:embedded or none. "
        with pytest.raises(InitialWeightsError, match=sentence + "Received: model.start=imagenet"):
            build_start(Model(backbone=backbone, input_size=SIZE, start="imagenet"), 4)
    with pytest.raises(InitialWeightsError, match="There are no ImageNet weights for small_cnn"):
        build_start(Model(backbone="small_cnn", input_size=SIZE, start="imagenet"), 4)


@pytest.mark.slow
def test_start_from_files(tmp_path: Path) -> None:
    model = build_backbone("small_cnn", 7, input_size=SIZE, alpha=0.5)
    model.save_weights(tmp_path / "other.weights.h5")
    arrays = {f"{layer.name}/{v.name}": np.asarray(v.value) for layer in model.layers for v in layer.weights}
    np.savez(tmp_path / "other.npz", **arrays)
    wanted = model(pixels() / 255, training=False)["embedding"]
    for name in ("other.weights.h5", "other.npz"):  # another number of labels does not matter
        start = build_start(
            Model(backbone="small_cnn", input_size=SIZE, alpha=0.5, start=str(tmp_path / name)), 3
        )
        np.testing.assert_allclose(
            start.model(pixels() / 255, training=False)["embedding"], wanted, atol=1e-5
        )
    for name, sentence in (
        ("gone.npz", "nor a file that is there"),
        ("other.npz", "does not hold weights of MobileNetV3Small"),
        ("other.weights.h5", "does not hold weights of MobileNetV3Small|other shapes than MobileNetV3Small"),
        ("text.weights.h5", "does not hold weights"),
        ("text.h5", "does not hold weights"),
    ):
        (tmp_path / "text.weights.h5").write_text("no weights")
        (tmp_path / "text.h5").write_text("no weights")
        with pytest.raises(InitialWeightsError, match=sentence):
            build_start(Model(backbone="MobileNetV3Small", input_size=SIZE, start=str(tmp_path / name)), 3)
    with pytest.raises(InitialWeightsError, match=r"no model bundle at .*Received: model.start=bundle:"):
        build_start(Model(start=f"bundle:{tmp_path}"), 3)
    shipped = load_bundle(EMBEDDED_BUNDLE).config.classifier.architecture
    with pytest.raises(InitialWeightsError, match=rf"another backbone, {shipped} of width 1.0"):
        build_start(Model(backbone="small_cnn", start="bundle:embedded"), 3)


def test_the_embedded_bundle_is_a_start_with_rows_of_its_own() -> None:
    shipped = load_bundle(EMBEDDED_BUNDLE).config.classifier
    start = build_start(
        Model(backbone=shipped.architecture, input_size=shipped.input_size, start="bundle:embedded"), 3
    )
    assert start.bundle is not None
    ids, kernel, bias = start.bundle
    assert kernel.shape == (1280, len(ids)) == (1280, len(bias))
    assert "pug" in ids


def test_freezing_by_name_number_and_backbone() -> None:
    model = build_backbone("MobileNetV3Small", 3, input_size=SIZE, alpha=1.0)
    layers = [layer for layer in model.layers if layer.weights]
    assert freeze_till(model, "") == freeze_till(model, 0) == 0
    assert freeze_till(model, 5) == 5
    assert [layer.trainable for layer in layers[:6]] == [False] * 5 + [True]
    assert freeze_till(model, layers[9].name) == 10
    assert freeze_till(model, "backbone") == len(layers) - 1
    assert [w.path.split("/")[0] for w in model.trainable_weights] == ["class_maps"] * 2
    for wrong in ("block_99", 10_000, -1):
        with pytest.raises(ValueError, match=f"Received: freeze_till={wrong}"):
            freeze_till(model, wrong)


def test_fixed_preprocessing_is_never_trained() -> None:
    model = build_backbone("VGG16", 3, input_size=32, alpha=1.0)
    freeze_till(model, "")
    assert not model.get_layer("preprocess").trainable
    assert "preprocess" not in {layer.name for layer in backbone_layers(model)}
