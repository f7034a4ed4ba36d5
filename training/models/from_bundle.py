"""Rebuild the Keras networks of a bundle from code and weight files, without unpickling anything."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import keras

from smartbreed.core.errors import BundleError, UnavailableError
from smartbreed.inference.bundle import Bundle, load_bundle
from training.common.errors import RecipeError
from training.data.reading import bundle_folder
from training.models.backbones import BACKBONES
from training.models.ssd_mobilenet_v1 import WIDTHS, build_detector

#: Name of the detector's widest layer; all other widths are its width divided by a power of two.
_WIDEST = f"Conv2d_{len(WIDTHS)}_pointwise"


def other_bundle(name: str, key: str) -> Bundle:
    """Load the bundle that a recipe takes a network from.

    Args:
        name: ``embedded`` or a folder.
        key: the recipe's key, for the error message.

    Raises:
        RecipeError: the bundle does not exist or fails verification.
    """
    try:
        return load_bundle(bundle_folder(name))
    except BundleError as error:
        raise RecipeError(f"{key}: {error.message} Received: {name}") from None


def rebuild_classifier(bundle: Bundle) -> keras.Model:
    """Rebuild the bundle's classifier and load its weights.

    Raises:
        UnavailableError: the bundle has no Keras weights.
        BundleError: the architecture is unknown, the weights do not fit it, or they are not a
            ``.weights.h5`` file.
    """
    config = bundle.config.classifier
    if not config.weights:
        raise UnavailableError("no_weights", "This model comes without Keras weights.")
    if config.architecture not in BACKBONES:
        raise BundleError(
            f"The model bundle's classifier has an architecture unknown here. Received: {config.architecture}"
        )
    weights = bundle.path(config.weights)
    if not weights.name.endswith(".weights.h5"):  # the only format that Keras loads without running code
        raise BundleError(f"{config.weights} of the model bundle is not named .weights.h5.")
    model = BACKBONES[config.architecture](
        len(config.labels), input_size=config.input_size, alpha=config.alpha
    )
    try:
        load_every_layer(model, weights)
    except (ValueError, KeyError, OSError, UserWarning):
        raise BundleError(
            f"{config.weights} of the model bundle does not fit {config.architecture} "
            f"with {len(config.labels)} labels."
        ) from None
    return model


def rebuild_detector(bundle: Bundle) -> keras.Model:
    """Rebuild the bundle's detector and load its weights.

    Raises:
        BundleError: the bundle has no detector with Keras weights, or they do not fit ssd_mobilenet_v1.
    """
    config = bundle.config.detector
    if config is None or not config.weights:
        raise BundleError("The model bundle has no detector with Keras weights.")
    path = bundle.path(config.weights)
    try:
        model = build_detector(len(config.species), input_size=config.input_size, alpha=width_of(path))
        load_every_layer(model, path)
    except (ValueError, KeyError, OSError, UserWarning):
        raise BundleError(
            f"{config.weights} of the model bundle does not fit ssd_mobilenet_v1 with "
            f"{len(config.species)} species and {config.input_size} pixels."
        ) from None
    return model


def load_every_layer(model: keras.Model, path: Path) -> None:
    """Load weights from a file that must hold every layer of the model.

    Raises:
        ValueError, KeyError, OSError, UserWarning: the file lacks or does not fit a layer, or cannot be read.
    """
    with warnings.catch_warnings():
        # Keras only warns if the file lacks a layer, and leaves that layer random.
        warnings.simplefilter("error", UserWarning)
        model.load_weights(path)


def width_of(path: Path) -> float:
    """Return the width multiplier of a detector from its ``.weights.h5`` file.

    Raises:
        KeyError: the file does not hold a detector.
        OSError: the file cannot be read.
    """
    channels = channels_of(path, _WIDEST)
    if channels is None:
        raise KeyError(_WIDEST)
    return channels / WIDTHS[-1]


def channels_of(path: Path, layer: str) -> int | None:
    """Return the output channels of a named layer in a ``.weights.h5`` file; None if it has no such layer.

    Raises:
        OSError: the file cannot be read.
    """
    found: list[int] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: found.append(item["0"].shape[-1])
            if item.attrs.get("name") == layer and "0" in item else None
        )  # fmt: skip
    return found[0] if found else None
