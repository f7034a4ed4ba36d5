"""A tiny random model, exported as a real one is: fast, meaningless, and good enough for every rule."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.explainer import FAKE, Make

from smartbreed.breeds.catalogue import get_breed
from smartbreed.imaging.photo import Photo, read_photo
from smartbreed.inference.bundle import FORMAT, write_config
from smartbreed.inference.deep_explanations import DeepExplainer
from smartbreed.inference.pipeline import Identifier, self_test_picture

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

PETS = Path(__file__).parents[3] / "shared" / "data" / "pets"
#: Two cats of one group, two dogs of one group, and a dog alone in its group.
BREEDS = ("birman", "siamese", "giant_schnauzer", "standard_schnauzer", "pug")
SIZE, ALPHA = 64, 0.35


def initialise(model: Any, seed: int) -> None:
    """Random weights as He et al. draw them (https://arxiv.org/abs/1502.01852): signals do not fade."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            fan_in = np.prod(kernel.shape[:2]) * (1 if "depthwise" in layer.name else kernel.shape[2])
            layer.set_weights([rng.normal(0, np.sqrt(2 / fan_in), kernel.shape), bias])


def spread(model: Any, layer: str, outputs: np.ndarray, target: float) -> None:
    """Scale a linear layer so that its random outputs differ by about ``target``."""
    kernel, bias = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([kernel * target / max(float(outputs.std()), 1e-9), bias])


@pytest.fixture(scope="session")
def tiny_classifier() -> Any:
    """A random Keras classifier with logits a few units apart and a bias, its weights rounded to float16."""
    from training.export.litert import round_to_half
    from training.models.mobilenet_v2 import build_classifier

    model = build_classifier(len(BREEDS), input_size=SIZE, alpha=ALPHA)
    initialise(model, 3)
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
    initialise(model, 4)
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 300, 300, 3)).astype(np.float32)
    output = model.predict_on_batch(noise)
    for level in range(6):
        spread(model, f"cls_{level}", output["scores"], 1.0)
        spread(model, f"box_{level}", output["boxes"], 0.5)
        layer = model.get_layer(f"cls_{level}")
        layer.set_weights([layer.get_weights()[0], layer.get_weights()[1] - 2.5])
    round_to_half(model)
    return model


def config_of(bias: np.ndarray) -> dict[str, Any]:
    breeds = [get_breed(name) for name in BREEDS]
    return {
        "format": FORMAT,
        "name": "tiny",
        "version": "0.0.1",
        "classifier": {
            "weights": "classifier.weights.h5",
            "alpha": ALPHA,
            "input_size": SIZE,
            "temperature": 1.3,
            "labels": [{"id": b.id, "species": b.species, "group": b.group} for b in breeds],
            "bias": [float(value) for value in bias],
            "thresholds": {"breed": 0.6, "group": 0.7},
        },
        "detector": {
            "weights": "detector.weights.h5",
            "input_size": 300,
            "score": 0.3,
            "overlap": 0.4,
            "most": 4,
        },
    }


@pytest.fixture(scope="session")
def tiny_bundle(tiny_classifier: Any, tiny_detector: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole bundle. Shared: take `bundle_copy` to change anything."""
    from training.export.litert import save_half_weights, to_litert

    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    folder.mkdir()
    for name, model in (("classifier", tiny_classifier), ("detector", tiny_detector)):
        to_litert(model, folder / f"{name}.tflite")
        save_half_weights(model, folder / f"{name}.weights.h5")
    config = config_of(tiny_classifier.get_layer("class_maps").get_weights()[1])
    write_config(folder, config)
    logits = Identifier.load(folder).classifier.run(self_test_picture(SIZE)).logits
    config["self_test"] = {"logits": [round(float(value), 4) for value in logits]}
    write_config(folder, config)
    return folder


@pytest.fixture
def bundle_copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture
def edit_config() -> Callable[..., None]:
    """``edit_config(folder, change)``: let ``change`` alter the parsed ``config.json``."""

    def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))

    return edit


@pytest.fixture(scope="session")
def identifier(tiny_bundle: Path) -> Identifier:
    """The tiny model, loaded."""
    return Identifier.load(tiny_bundle, threads=2)


def synthetic(seed: int, width: int = 320, height: int = 240) -> np.ndarray:
    """uint8 ``(height, width, 3)``: smooth blobs of colour with a little noise."""
    rng = np.random.default_rng(seed)
    blobs = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = np.asarray(blobs.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return np.asarray(np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255), np.uint8)


@pytest.fixture(scope="session")
def photos() -> list[Photo]:
    """Six pictures of several shapes."""
    shapes = [(320, 240), (240, 320), (500, 90), (64, 64), (90, 400), (301, 299)]
    return [read_photo(synthetic(n, *shape), name=f"{n}.png") for n, shape in enumerate(shapes)]


@pytest.fixture(scope="session")
def pet_crops() -> list[np.ndarray]:
    """Six real pets, uint8 ``(224, 224, 3)``; skips where the photographs are not at hand."""
    path = PETS / "breeds" / "test-00000-of-00001.parquet"
    if not path.exists():
        pytest.skip("needs the photographs of ../shared/data/pets")
    import pyarrow.parquet as pq

    rows = next(pq.ParquetFile(path).iter_batches(batch_size=6, columns=["image"])).to_pylist()
    return [np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")) for row in rows]


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
