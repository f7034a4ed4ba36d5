"""Assemble a bundle of networks, weights and ``config.json``; a half-written one never replaces another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from smartbreed.core.files import disk_errors
from smartbreed.inference.bundle import CONFIG, FORMAT, Bundle, write_config
from smartbreed.inference.network_metadata import describe_networks
from smartbreed.inference.pipeline import Identifier, self_test_picture
from training.calibration.box_verification import PLAIN_SCORE
from training.common.errors import StageError
from training.common.run_directory import RunDirectory
from training.export.licence import licence_of
from training.export.litert import round_to_half, save_half_weights, to_int8_litert, to_litert
from training.export.weights_check import embedding_of_weights
from training.models.backbones import BACKBONES, build_backbone
from training.models.from_bundle import rebuild_classifier
from training.models.ssd_mobilenet_v1 import build_detector
from training.recipe.recipe import Recipe

#: Configuration of a temporary bundle whose networks are run during training; it is never served.
UNFINISHED: dict[str, Any] = {"name": "unfinished", "version": "0.0.0", "detector": None}


def write_network(model: keras.Model, folder: Path, name: str, pictures: np.ndarray | None = None) -> None:
    """Write ``NAME.tflite`` and ``NAME.weights.h5``; rounds ``model`` to float16, the format of the weights.

    Args:
        model: the network to write.
        folder: target folder.
        name: ``classifier`` or ``detector``.
        pictures: calibration pictures for an int8 LiteRT file, uint8 ``(n, height, width, 3)``; None for a
            float16 one.
    """
    round_to_half(model)
    save_half_weights(model, folder / f"{name}.weights.h5")
    if pictures is None:
        to_litert(model, folder / f"{name}.tflite")
    else:
        to_int8_litert(model, folder / f"{name}.tflite", pictures)


def copy_network(bundle: Bundle, section: dict[str, Any], folder: Path) -> None:
    """Copy the files of one network of another bundle."""
    for key in ("file", "weights"):
        if section.get(key):
            shutil.copyfile(bundle.path(section[key]), folder / section[key])


def section_of(bundle: Bundle, name: str) -> dict[str, Any]:
    """Return the section ``classifier`` or ``detector`` of a bundle's ``config.json``; empty if absent."""
    section = json.loads((bundle.folder / CONFIG).read_text()).get(name)
    # The section may omit the file name, which then is the format's default.
    return {"file": getattr(bundle.config, name).file, **section} if section else {}


def classifier_section(
    recipe: Recipe, labels: list[dict[str, str]], model: keras.Model, calibration: dict[str, Any]
) -> dict[str, Any]:
    """Build the section ``classifier`` of ``config.json``."""
    bias = model.get_layer("class_maps").get_weights()[1]
    return {
        "file": "classifier.tflite",
        "weights": "classifier.weights.h5",
        "architecture": recipe.model.backbone,
        "alpha": recipe.model.alpha,
        "input_size": recipe.model.input_size,
        "scale": 1 / 127.5,
        "offset": -1.0,
        "margin": recipe.data.margin,
        "temperature": calibration.get("temperature", 1.0),
        "thresholds": calibration.get("thresholds", {"breed": 0.5, "group": 0.5}),
        **{key: calibration[key] for key in ("faults", "other") if key in calibration},
        "labels": labels,
        "bias": [round(float(value), 6) for value in bias],
    }


def detector_section() -> dict[str, Any]:
    """Build the section ``detector`` of ``config.json`` for a detector trained here."""
    return {
        "file": "detector.tflite", "weights": "detector.weights.h5", "architecture": "ssd_mobilenet_v1",
        "input_size": 300, "scale": 1 / 127.5, "offset": -1.0, "species": ["cat", "dog"],
        "score": PLAIN_SCORE, "overlap": 0.5, "most": 20,
    }  # fmt: skip


def finish(folder: Path, config: dict[str, Any], *, final: bool = False) -> Identifier:
    """Write ``config.json`` with the expected self-test answer, and load the bundle as the app does.

    Args:
        folder: folder with every other file of the bundle.
        config: everything except ``files`` and ``self_test``.
        final: True for a bundle that will be served. Its networks then get metadata, and the embedding that
            its Keras weights compute is stored for `training.export.weights_check`.

    Raises:
        BundleError: the bundle does not load.
    """
    config = {"format": FORMAT, **config}
    config.pop("self_test", None)
    if final:
        describe_networks(folder, config, licence_of(config))
    write_config(folder, config)
    identifier = Identifier.load(folder)
    logits = identifier.classifier.run(self_test_picture(config["classifier"]["input_size"])).logits
    config["self_test"] = {"logits": [round(float(value), 4) for value in logits]}
    if final and (weights := _weights_test(identifier.bundle)):
        config["self_test"]["weights"] = weights
    write_config(folder, config)
    return Identifier.load(folder)


def _weights_test(bundle: Bundle) -> dict[str, Any]:
    """Return ``self_test.weights``; empty for a copied classifier that cannot be rebuilt here."""
    section = bundle.config.classifier
    if not section.weights or section.architecture not in BACKBONES:
        return {}
    return {"embedding": embedding_of_weights(bundle, rebuild_classifier(bundle))}


def replace_folder(new: Path, target: Path) -> None:
    """Replace the folder ``target`` with ``new``.

    Raises:
        StorageError: a folder could not be renamed.
    """
    old = target.with_name(f"{target.name}.old")
    with disk_errors("The bundle was not put in its place"):
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        new.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def trained_network(recipe: Recipe, run: RunDirectory, classes: int) -> keras.Model:
    """Rebuild the run's network with its final weights, rounded to float16 as in the bundle.

    Raises:
        StageError: the weights are missing or belong to another network.
    """
    name = "detector" if recipe.task == "detect" else "classifier"
    if recipe.task == "detect":
        model = build_detector(alpha=recipe.model.alpha)
    else:
        model = build_backbone(
            recipe.model.backbone, classes, input_size=recipe.model.input_size, alpha=recipe.model.alpha
        )
    try:
        model.load_weights(run / f"{name}.weights.h5")
    except (OSError, ValueError, KeyError):
        raise StageError(
            f"{name}.weights.h5 of the run is missing or fits another network; run the stage train again "
            f"(--from train --again). Received: {run.folder}"
        ) from None
    round_to_half(model)
    return model
