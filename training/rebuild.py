"""Rebuild the Keras network of a bundle: architecture in code, weights from its file, nothing unpickled."""

from __future__ import annotations

import warnings

import keras

from smartbreed.errors import BundleError, UnavailableError
from smartbreed.vision.bundle import Bundle
from training.backbones import BACKBONES


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
        with warnings.catch_warnings():
            # Keras only warns where the file lacks a layer, and leaves that one random.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(weights)
    except (ValueError, KeyError, OSError, UserWarning):
        raise BundleError(
            f"{config.weights} of the model bundle does not fit {config.architecture} "
            f"with {len(config.labels)} labels."
        ) from None
    return model
