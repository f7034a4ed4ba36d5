"""A tiny random model, exported as a real one is: fast, meaningless, and good enough for every rule."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.explainer import FAKE, Make
from support.photos import blobs, opened, rows
from support.tiny_bundle import ALPHA, BREEDS, SIZE, random_network, spread, tiny_config

from smartbreed.imaging.photo import Photo, read_photo
from smartbreed.inference.bundle import write_config
from smartbreed.inference.deep_explanations import DeepExplainer
from smartbreed.inference.pipeline import Identifier, self_test_picture

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session")
def tiny_classifier() -> Any:
    """A random Keras classifier with logits a few units apart and a bias, its weights rounded to float16."""
    from training.export.litert import round_to_half
    from training.models.mobilenet_v2 import build_classifier

    model = build_classifier(len(BREEDS), input_size=SIZE, alpha=ALPHA)
    random_network(model, 3, biases=False)
    noise = np.random.default_rng(0).uniform(-1, 1, (8, SIZE, SIZE, 3)).astype(np.float32)
    spread(model, "class_maps", model.predict_on_batch(noise)["class_maps"], 1.5)
    layer = model.get_layer("class_maps")
    layer.set_weights([layer.get_weights()[0], np.array([0.5, -0.5, 1.0, -1.0, 0.25], np.float32)])
    round_to_half(model)
    return model


@pytest.fixture(scope="session")
def tiny_detector() -> Any:
    """A random Keras detector; about one anchor in a hundred is likely."""
    from training.export.litert import round_to_half
    from training.models.ssd_mobilenet_v1 import build_detector

    model = build_detector(alpha=0.25)
    random_network(model, 4, biases=False)
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 300, 300, 3)).astype(np.float32)
    output = model.predict_on_batch(noise)
    for level in range(6):
        spread(model, f"cls_{level}", output["scores"], 1.0)
        spread(model, f"box_{level}", output["boxes"], 0.5)
        layer = model.get_layer(f"cls_{level}")
        layer.set_weights([layer.get_weights()[0], layer.get_weights()[1] - 2.5])
    round_to_half(model)
    return model


@pytest.fixture(scope="session")
def tiny_bundle(tiny_classifier: Any, tiny_detector: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole bundle. Shared: take `bundle_copy` to change anything."""
    from training.export.litert import save_half_weights, to_litert

    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    folder.mkdir()
    for name, model in (("classifier", tiny_classifier), ("detector", tiny_detector)):
        to_litert(model, folder / f"{name}.tflite")
        save_half_weights(model, folder / f"{name}.weights.h5")
    config = tiny_config(tiny_classifier.get_layer("class_maps").get_weights()[1], detector=True)
    write_config(folder, config)
    logits = Identifier.load(folder).classifier.run(self_test_picture(SIZE)).logits
    config["self_test"] = {"logits": [round(float(value), 4) for value in logits]}
    write_config(folder, config)
    return folder


@pytest.fixture
def bundle_copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def identifier(tiny_bundle: Path) -> Identifier:
    """The tiny model, loaded."""
    return Identifier.load(tiny_bundle, threads=2)


@pytest.fixture(scope="session")
def photos() -> list[Photo]:
    """Six pictures of several shapes."""
    shapes = [(320, 240), (240, 320), (500, 90), (64, 64), (90, 400), (301, 299)]
    return [read_photo(blobs(n, *shape), name=f"{n}.png") for n, shape in enumerate(shapes)]


@pytest.fixture(scope="session")
def pet_crops() -> list[np.ndarray]:
    """Six pets, uint8 ``(224, 224, 3)``."""
    return [np.asarray(opened(row)) for row in islice(rows("breeds"), 6)]


@pytest.fixture
def make(tiny_bundle: Path) -> Iterator[Make]:
    """``make(timeout=…, idle=…)``: an explainer whose child is the stand-in."""
    made = []

    def build(**options: float) -> DeepExplainer:
        explainer = DeepExplainer(tiny_bundle, **options)
        explainer._command = [sys.executable, str(FAKE)]
        made.append(explainer)
        return explainer

    yield build
    for explainer in made:
        explainer.close()
