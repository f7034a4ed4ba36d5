"""Our free explanation against the reference implementation, and LiteRT against Keras."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle, write_config
from smartbreed.inference.grad_cam import grad_cam
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.pixels import to_input
from training.export.litert import form_of

Case = tuple[Identifier, Any]


def pictures(size: int, count: int = 3) -> list[np.ndarray]:
    """Colourful blobs, uint8 ``(size, size, 3)``."""
    rng = np.random.default_rng(11)
    blobs = [Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)) for _ in range(count)]
    return [np.asarray(blob.resize((size, size), Image.Resampling.BICUBIC)) for blob in blobs]


def resized(crops: list[np.ndarray], size: int) -> list[np.ndarray]:
    return [np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BILINEAR)) for c in crops]


@pytest.fixture(scope="module")
def random_case(tiny_classifier: Any, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The tiny network at 224 pixels, so that its maps have 49 cells; both runtimes take any size."""
    from training.models.mobilenet_v2 import build_classifier

    model = build_classifier(5, input_size=224, alpha=0.35)
    model.set_weights(tiny_classifier.get_weights())
    folder = Path(shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("large") / "bundle"))
    config = json.loads((folder / "config.json").read_text())
    config["classifier"]["input_size"] = 224
    write_config(folder, config | {"self_test": {}})
    return Identifier.load(folder), model


@pytest.fixture(scope="module")
def embedded_case() -> Case:
    """The model that ships, rebuilt in Keras."""
    if not (EMBEDDED_BUNDLE / "config.json").is_file():
        pytest.skip("smartbreed/assets holds no model yet")
    from training.models.from_bundle import rebuild_classifier

    return Identifier.load(EMBEDDED_BUNDLE), rebuild_classifier(load_bundle(EMBEDDED_BUNDLE))


def reference(model: Any, image: np.ndarray, index: int) -> np.ndarray:
    """Grad-CAM by tf-keras-vis at the feature map's size, neither shifted nor scaled."""
    import keras
    from tf_keras_vis.gradcam import Gradcam

    logits = keras.Model(model.input, model.output["logits"])
    heat = Gradcam(logits, clone=True)(
        lambda output: output[:, index],
        image,
        penultimate_layer=model.get_layer("class_maps").input._keras_history.operation.name,
        expand_cam=False,
        normalize_cam=False,
    )
    return np.asarray(heat[0])


@dataclass(frozen=True)
class Close:
    """How close the served network must come to the Keras one: of the maps the correlation and the largest
    difference (the largest value is 1), of the outputs the mean difference (their range is 1)."""

    correlation: float
    maps: float
    outputs: float


#: The same numbers, but for float16.
SAME = Close(0.999, 0.02, 1e-3)
#: Kernels and activations rounded to 8 bits: asked about blobs, which show nothing, and about photographs.
ROUNDED, ROUNDED_PHOTOGRAPHS = Close(0.8, 0.5, 0.08), Close(0.97, 0.15, 0.02)


def closeness(identifier: Identifier, rounded: Close) -> Close:
    bundle = identifier.bundle
    return rounded if form_of(bundle.path(bundle.config.classifier.file)) == "int8" else SAME


def check_grad_cam(case: Case, crops: list[np.ndarray], rounded: Close = ROUNDED) -> None:
    identifier, model = case
    config, close = identifier.classifier.config, closeness(identifier, rounded)
    for crop in crops:
        outputs = identifier.classifier.run(crop)
        image = to_input(crop, config.scale, config.offset)
        # The first guess, and one that is not: a person may ask for any breed.
        for index in np.argsort(-outputs.logits)[[0, 3]]:
            bias = config.bias[index] if config.bias else 0.0
            ours, theirs = grad_cam(outputs.class_maps, int(index), bias), reference(model, image, int(index))
            assert ours.shape == theirs.shape
            if theirs.max() <= 1e-6:
                assert not ours.any() or ours.mean() < 0.2
                continue
            assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] >= close.correlation
            np.testing.assert_allclose(ours, theirs / theirs.max(), atol=close.maps)


def check_agreement(case: Case, crops: list[np.ndarray], rounded: Close = ROUNDED) -> None:
    identifier, model = case
    config, close = identifier.classifier.config, closeness(identifier, rounded)
    images = np.concatenate([to_input(crop, config.scale, config.offset) for crop in crops])
    expected = {name: np.asarray(value) for name, value in model.predict_on_batch(images).items()}
    for number, crop in enumerate(crops):
        outputs = identifier.classifier.run(crop)
        logits = expected["logits"][number]
        assert np.abs(outputs.logits - logits).mean() <= close.outputs * np.ptp(logits)
        second, first = np.sort(logits)[-2:]
        if first - second > 3 * close.outputs * np.ptp(logits):
            assert outputs.logits.argmax() == logits.argmax()
        np.testing.assert_allclose(
            outputs.logits, outputs.class_maps.mean((0, 1)), atol=1e-3 * np.ptp(logits)
        )
        maps = expected["class_maps"][number]
        assert np.abs(outputs.class_maps - maps).mean() <= close.outputs * np.ptp(maps)
        embedding = expected["embedding"][number]
        assert np.abs(outputs.embedding - embedding).mean() <= close.outputs * np.ptp(embedding)


@pytest.mark.slow
def test_random_network_on_synthetic_pictures(random_case: Case) -> None:
    check_grad_cam(random_case, pictures(224))
    check_agreement(random_case, pictures(224))


@pytest.mark.slow
def test_random_network_on_photographs(random_case: Case, pet_crops: list[np.ndarray]) -> None:
    check_grad_cam(random_case, pet_crops[:2])
    check_agreement(random_case, pet_crops)


def test_embedded_model_on_synthetic_pictures(embedded_case: Case) -> None:
    size = embedded_case[0].classifier.config.input_size
    check_grad_cam(embedded_case, pictures(size, 2))
    check_agreement(embedded_case, pictures(size))


def test_embedded_model_on_photographs(embedded_case: Case, pet_crops: list[np.ndarray]) -> None:
    crops = resized(pet_crops, embedded_case[0].classifier.config.input_size)
    check_grad_cam(embedded_case, crops, ROUNDED_PHOTOGRAPHS)
    check_agreement(embedded_case, crops, ROUNDED_PHOTOGRAPHS)


def test_counting_the_bias_would_be_wrong(random_case: Case) -> None:
    """What the exclusion of the bias is for: with it the map is another one."""
    identifier, model = random_case
    config = identifier.classifier.config
    crop = pictures(224, 1)[0]
    outputs = identifier.classifier.run(crop)
    index = int(np.argmax(config.bias))
    theirs = reference(model, to_input(crop, config.scale, config.offset), index)
    with_bias = grad_cam(outputs.class_maps, index)
    without = grad_cam(outputs.class_maps, index, config.bias[index])
    truth = theirs / theirs.max()
    assert np.abs(without - truth).max() < 0.02 < 0.1 < np.abs(with_bias - truth).max()
