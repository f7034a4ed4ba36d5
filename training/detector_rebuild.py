"""Rebuild the Keras network of a bundle's detector: architecture in code, weights and width from its file."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import keras

from smartbreed.errors import BundleError
from smartbreed.vision.bundle import Bundle
from training.architectures.ssd_mobilenet_v1 import WIDTHS, build_detector

#: The widest layer; every other width is a power-of-two part of it, so its channels tell them all exactly.
_WIDEST = f"Conv2d_{len(WIDTHS)}_pointwise"


def rebuild_detector(bundle: Bundle) -> keras.Model:
    """The bundle's detector with its weights.

    Raises:
        BundleError: it has no detector with Keras weights, or weights that do not fit ssd_mobilenet_v1.
    """
    config = bundle.config.detector
    if config is None or not config.weights:
        raise BundleError("The model bundle has no detector with Keras weights.")
    path = bundle.path(config.weights)
    try:
        model = build_detector(len(config.species), input_size=config.input_size, alpha=width_of(path))
        with warnings.catch_warnings():
            # Keras only warns where the file lacks a layer, and leaves that one random.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (ValueError, KeyError, OSError, UserWarning):
        raise BundleError(
            f"{config.weights} of the model bundle does not fit ssd_mobilenet_v1 with "
            f"{len(config.species)} species and {config.input_size} pixels."
        ) from None
    return model


def width_of(path: Path) -> float:
    """The width multiplier of the detector whose ``.weights.h5`` this is.

    Raises:
        KeyError: it holds none.
        OSError: it cannot be read.
    """
    found: list[int] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: found.append(item["0"].shape[-1])
            if item.attrs.get("name") == _WIDEST and "0" in item else None
        )  # fmt: skip
    if not found:
        raise KeyError(_WIDEST)
    return found[0] / WIDTHS[-1]
