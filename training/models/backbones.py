"""All classifiers by name: the networks of this package, and keras.applications with the class-map head."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType

import keras

from training.common.errors import RecipeError
from training.models.applications import EXPECTS, build_application
from training.models.efficientnet_lite import SCALINGS, build_efficientnet_lite
from training.models.mobilenet_v2 import build_classifier
from training.models.small_cnn import build_small_cnn

#: Builders by name; each takes ``classes, input_size=, alpha=``.
BACKBONES: MappingProxyType[str, Callable[..., keras.Model]] = MappingProxyType(
    {
        "mobilenet_v2": build_classifier,
        "small_cnn": build_small_cnn,
        **{name: partial(build_efficientnet_lite, name) for name in SCALINGS},
        **{name: partial(build_application, name) for name in EXPECTS},
    }
)


def build_backbone(name: str, classes: int, *, input_size: int, alpha: float) -> keras.Model:
    """Build a classifier with random weights.

    Raises:
        RecipeError: the backbone does not exist, or does not support this size or width.
    """
    if name not in BACKBONES:
        raise RecipeError(
            f"model.backbone must be one of {', '.join(BACKBONES)}. Received: model.backbone={name}"
        )
    try:
        return BACKBONES[name](classes, input_size=input_size, alpha=alpha)
    except (ValueError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(
            f"{name} cannot be built so: {reason} Received: model.input_size={input_size}, "
            f"model.alpha={alpha}"
        ) from None


def backbone_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return every layer with weights before the head, from input to output."""
    return [
        layer for layer in model.layers if layer.weights and layer.name not in ("class_maps", "preprocess")
    ]
