"""The networks built in code compute what the published ones compute."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from smartbreed.inference.boxes import ssd_anchors
from training.models.initial_weights import load_mobilenet_v2, load_plain
from training.models.mobilenet_v2 import build_classifier, channels
from training.models.ssd_mobilenet_v1 import build_detector

SIZE, ALPHA = 96, 0.35


@pytest.fixture(scope="module")
def published() -> Any:
    """keras.applications' MobileNetV2 without its head, every batch norm with statistics of its own."""
    keras.utils.set_random_seed(1)
    model = keras.applications.MobileNetV2((SIZE, SIZE, 3), alpha=ALPHA, include_top=False, weights=None)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape[0]
            layer.set_weights(
                [
                    rng.uniform(0.5, 2, width),
                    rng.normal(0, 0.5, width),
                    rng.normal(0, 0.3, width),
                    rng.uniform(0.05, 2, width),
                ]
            )
    return model


@pytest.fixture(scope="module")
def arrays(published: Any) -> dict[str, np.ndarray]:
    return {
        f"{layer.name}/{variable.name}": np.asarray(variable.value, np.float32)
        for layer in published.layers
        for variable in layer.weights
    }


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(2).uniform(-1, 1, (3, SIZE, SIZE, 3)).astype(np.float32)


def test_folding_batch_norm_changes_nothing(
    published: Any, arrays: dict[str, np.ndarray], images: np.ndarray
) -> None:
    model = build_classifier(7, input_size=SIZE, alpha=ALPHA)
    load_mobilenet_v2(model, arrays)
    expected = np.asarray(published(images, training=False)).mean((1, 2))
    assert expected.std() > 0.05  # the comparison means something
    np.testing.assert_allclose(model(images, training=False)["embedding"], expected, atol=1e-4)


def test_a_missing_layer_is_named(arrays: dict[str, np.ndarray]) -> None:
    model = build_classifier(7, input_size=SIZE, alpha=ALPHA)
    with pytest.raises(KeyError, match="block_3_expand"):
        load_mobilenet_v2(model, {k: v for k, v in arrays.items() if k != "block_3_expand/kernel"})


def test_class_maps_average_to_logits(images: np.ndarray) -> None:
    output = build_classifier(7, input_size=SIZE, alpha=ALPHA)(images)
    assert output["class_maps"].shape == (3, SIZE // 32, SIZE // 32, 7)
    assert output["embedding"].shape == (3, 1280)
    np.testing.assert_allclose(np.mean(output["class_maps"], (1, 2)), output["logits"], atol=1e-5)


def test_the_head_commutes_with_pooling(images: np.ndarray) -> None:
    """So a head can be fitted on embeddings alone, and its class maps come for nothing."""
    model = build_classifier(7, input_size=SIZE, alpha=ALPHA)
    kernel, bias = model.get_layer("class_maps").get_weights()
    model.get_layer("class_maps").set_weights([kernel, bias + np.arange(7)])
    output = model(images)
    expected = np.asarray(output["embedding"]) @ kernel[0, 0] + np.arange(7)
    np.testing.assert_allclose(output["logits"], expected, atol=1e-4)


def test_an_odd_size_is_refused_with_what_was_received() -> None:
    with pytest.raises(ValueError, match="Received: input_size=100"):
        build_classifier(7, input_size=100)


@pytest.mark.parametrize(
    ("count", "rounded"), [(32, 32), (11.2, 16), (8.4, 8), (33.6, 32), (56, 56), (22.4, 24), (1, 8)]
)
def test_channels_follow_the_paper(count: float, rounded: int) -> None:
    assert channels(count) == rounded
    assert rounded % 8 == 0


def test_detector_answers_once_for_each_anchor() -> None:
    output = build_detector(2, alpha=0.25)(np.zeros((1, 300, 300, 3), np.float32))
    anchors = len(ssd_anchors())
    assert {name: tuple(value.shape) for name, value in output.items()} == {
        "boxes": (1, anchors, 4),
        "scores": (1, anchors, 2),
    }


def test_detector_heads_keep_the_order_of_the_anchors() -> None:
    """Rows run over the cells of a map, and over the boxes of a cell within: as `ssd_anchors` does."""
    model = build_detector(1, alpha=0.25)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    head = model.get_layer("cls_0")
    head.set_weights([head.get_weights()[0], np.array([1, 2, 3], np.float32)])
    scores = np.asarray(model(np.zeros((1, 300, 300, 3), np.float32))["scores"])[0, :, 0]
    np.testing.assert_array_equal(scores[: 19 * 19 * 3], np.tile([1, 2, 3], 19 * 19))
    assert not scores[19 * 19 * 3 :].any()
    assert ssd_anchors()[19 * 19 * 3][0] == pytest.approx(0.05)


def test_loading_plain_weights_reports_what_does_not_fit() -> None:
    model = build_detector(2, alpha=0.25)
    arrays = {
        f"{layer.name}/{name}": np.full(w.shape, 0.5, np.float32)
        for layer in model.layers
        for name, w in zip(("kernel", "bias"), layer.weights, strict=False)
    }
    assert load_plain(model, arrays) == []
    assert (model.get_layer("cls_2").get_weights()[0] == 0.5).all()
    arrays["cls_1/kernel"] = arrays["cls_1/kernel"][..., :-1]
    del arrays["Conv2d_3_pointwise/bias"]
    assert sorted(load_plain(model, arrays)) == ["Conv2d_3_pointwise", "cls_1"]
