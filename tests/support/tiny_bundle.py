"""A bundle of tiny random networks, exported as real ones are."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smartbreed.breeds.catalogue import get_breed
from smartbreed.inference.bundle import FORMAT, write_config
from smartbreed.inference.pipeline import Identifier, self_test_picture

if TYPE_CHECKING:
    from training.data import Crops

#: Two cats of one group, two dogs of one group, and a dog alone in its group.
BREEDS = ("birman", "siamese", "giant_schnauzer", "standard_schnauzer", "pug")
SIZE, ALPHA = 64, 0.35


def random_network(model: Any, seed: int, biases: bool = True) -> None:
    """Random weights as He et al. draw them (https://arxiv.org/abs/1502.01852): signals do not fade."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            fan_in = np.prod(kernel.shape[:2]) * (1 if "depthwise" in layer.name else kernel.shape[2])
            drawn = rng.normal(0, np.sqrt(2 / fan_in), kernel.shape)
            layer.set_weights([drawn, rng.normal(0, 0.1, bias.shape) if biases else bias])


def spread(model: Any, layer: str, outputs: np.ndarray, target: float) -> None:
    """Scale a linear layer so that its random outputs differ by about ``target``."""
    kernel, bias = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([kernel * target / max(float(outputs.std()), 1e-9), bias])


def tiny_classifier(seed: int = 3) -> Any:
    from training.export.litert import round_to_half
    from training.models.mobilenet_v2 import build_classifier

    model = build_classifier(len(BREEDS), input_size=SIZE, alpha=ALPHA)
    random_network(model, seed)
    round_to_half(model)
    return model


def crops(per_label: int = 6, size: int = SIZE, names: tuple[str, ...] = BREEDS) -> Crops:
    """Noise with a colour for each label."""
    from training.data import Crops

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(names)), per_label)
    shades = rng.integers(0, 255, (len(names), 1, 1, 3))[labels]
    images = np.clip(shades + rng.normal(0, 40, (len(labels), size, size, 3)), 0, 255).astype(np.uint8)
    sources = [f"{names[label]}_{number}.jpg" for number, label in enumerate(labels)]
    species = np.array([int(get_breed(names[label]).species == "dog") for label in labels])
    return Crops(images, labels, species, sources, [f"{n:064x}" for n in range(len(labels))], list(names))


def tiny_config(
    bias: np.ndarray, *, detector: bool, labels: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """``config.json`` of a tiny bundle."""
    breeds = [get_breed(name) for name in BREEDS]
    config: dict[str, Any] = {
        "format": FORMAT, "name": "tiny", "version": "0.0.1",
        "classifier": {
            "weights": "classifier.weights.h5", "alpha": ALPHA, "input_size": SIZE, "temperature": 1.3,
            "labels": labels or [{"id": b.id, "species": b.species, "group": b.group} for b in breeds],
            "bias": [float(value) for value in bias], "thresholds": {"breed": 0.6, "group": 0.7},
        },
    }  # fmt: skip
    if detector:
        config["detector"] = {
            "weights": "detector.weights.h5", "input_size": 300, "score": 0.3, "overlap": 0.4, "most": 4,
        }  # fmt: skip
    return config


@cache
def _classifier_files() -> tuple[dict[str, bytes], np.ndarray]:
    """Files of the classifier by name, and the biases of its head."""
    model = tiny_classifier()
    return _exported(model, "classifier"), model.get_layer("class_maps").get_weights()[1]


@cache
def _detector_files() -> dict[str, bytes]:
    from training.models.ssd_mobilenet_v1 import build_detector

    model = build_detector(alpha=0.25)
    random_network(model, 4)
    return _exported(model, "detector")


def _exported(model: Any, name: str) -> dict[str, bytes]:
    from training.export.litert import save_half_weights, to_litert

    with tempfile.TemporaryDirectory() as folder:
        served, weights = Path(folder) / f"{name}.tflite", Path(folder) / f"{name}.weights.h5"
        to_litert(model, served)
        save_half_weights(model, weights)
        return {path.name: path.read_bytes() for path in (served, weights)}


def write_bundle(
    folder: Path,
    *,
    species: bool = True,
    detector: bool = False,
    labels: list[dict[str, str]] | None = None,
) -> Path:
    """The bundle's folder.

    Args:
        folder: created.
        species: labels with species and group; without, like a recipe about something else.
        detector: with a tiny random detector and its Keras weights.
        labels: five of these instead.
    """
    folder.mkdir()
    files, bias = _classifier_files()
    if detector:
        files = files | _detector_files()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if not species:
        labels = [{"id": f"thing_{n}", "name": f"Thing {n}"} for n in range(len(BREEDS))]
    config = tiny_config(bias, detector=detector, labels=labels)
    write_config(folder, config)
    logits = Identifier.load(folder).classifier.run(self_test_picture(SIZE)).logits
    write_config(folder, config | {"self_test": {"logits": [round(float(v), 4) for v in logits]}})
    return folder
