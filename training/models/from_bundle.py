"""Rebuild the Keras networks of a bundle: architecture in code, weights from its files, nothing unpickled."""

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

#: The detector's widest layer; every other width is a power-of-two part of it.
_WIDEST = f"Conv2d_{len(WIDTHS)}_pointwise"


def other_bundle(name: str, key: str) -> Bundle:
    """The bundle a recipe takes a network from.

    Args:
        name: ``embedded`` or a folder.
        key: of the recipe, for the sentence.

    Raises:
        RecipeError: it is not there or does not verify.
    """
    try:
        return load_bundle(bundle_folder(name))
    except BundleError as error:
        raise RecipeError(f"{key}: {error.message} Received: {name}") from None


def rebuild_classifier(bundle: Bundle) -> keras.Model:
    """The bundle's classifier with its weights.

    Raises:
        UnavailableError: the bundle holds no Keras weights.
        BundleError: unknown architecture, or weights that do not fit it.
    """
    config = bundle.config.classifier
    if not config.weights:
        raise UnavailableError("no_weights", "This model comes without Keras weights.")
    if config.architecture not in BACKBONES:
        raise BundleError(
            f"The model bundle's classifier has an architecture unknown here. Received: {config.architecture}"
        )
    weights = bundle.path(config.weights)
    if not weights.name.endswith(".weights.h5"):  # the only format Keras reads without running anything
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
        load_every_layer(model, path)
    except (ValueError, KeyError, OSError, UserWarning):
        raise BundleError(
            f"{config.weights} of the model bundle does not fit ssd_mobilenet_v1 with "
            f"{len(config.species)} species and {config.input_size} pixels."
        ) from None
    return model


def load_every_layer(model: keras.Model, path: Path) -> None:
    """`keras.Model.load_weights` of a file that must hold all of them.

    Raises:
        ValueError, KeyError, OSError, UserWarning: it does not, or cannot be read.
    """
    with warnings.catch_warnings():
        # Keras only warns where the file lacks a layer, and leaves that one random.
        warnings.simplefilter("error", UserWarning)
        model.load_weights(path)


def width_of(path: Path) -> float:
    """The width multiplier of the detector whose ``.weights.h5`` this is.

    Raises:
        KeyError: it holds none.
        OSError: it cannot be read.
    """
    channels = channels_of(path, _WIDEST)
    if channels is None:
        raise KeyError(_WIDEST)
    return channels / WIDTHS[-1]


def channels_of(path: Path, layer: str) -> int | None:
    """Output channels of a layer of this name in a ``.weights.h5``; None where it holds none.

    Raises:
        OSError: it cannot be read.
    """
    found: list[int] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: found.append(item["0"].shape[-1])
            if item.attrs.get("name") == layer and "0" in item else None
        )  # fmt: skip
    return found[0] if found else None
