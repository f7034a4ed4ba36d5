"""Load published weights, from a file or from keras.applications, with batch norm folded in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

#: Epsilon of every batch norm in keras.applications' MobileNetV2.
BATCH_NORM_EPSILON = 1e-3


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file as float32, keyed ``layer/variable``."""
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key].astype(np.float32) for key in archive.files}


def imagenet_mobilenet_v2() -> dict[str, np.ndarray]:
    """Download the published ImageNet weights through keras.applications."""
    model = keras.applications.MobileNetV2(weights="imagenet")
    return {
        f"{layer.name}/{variable.name}": np.asarray(variable.value, np.float32)
        for layer in model.layers
        for variable in layer.weights
    }


def _batch_norm_name(layer: str) -> str:
    """Return the name of the batch norm after a convolution in keras.applications' MobileNetV2."""
    return {"Conv1": "bn_Conv1", "Conv_1": "Conv_1_bn"}.get(layer, f"{layer}_BN")


def load_mobilenet_v2(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Fold every batch norm of ``arrays`` into its convolution and set the backbone's weights.

    Raises:
        KeyError: a layer of the model has no arrays; the message names the missing one.
    """
    for layer in model.layers:
        if not layer.weights or layer.name == "class_maps":
            continue
        norm = _batch_norm_name(layer.name)
        kernel = arrays[f"{layer.name}/kernel"]
        scale = arrays[f"{norm}/gamma"] / np.sqrt(arrays[f"{norm}/moving_variance"] + BATCH_NORM_EPSILON)
        # A depthwise kernel has its output channels on axis 2, a plain one on axis 3.
        folded = kernel * (scale[:, None] if layer.name.endswith("depthwise") else scale)
        layer.set_weights([folded, arrays[f"{norm}/beta"] - arrays[f"{norm}/moving_mean"] * scale])


def load_plain(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Set every layer whose kernel and bias are in ``arrays`` and fit; return the names of the others."""
    missing = []
    for layer in model.layers:
        if not layer.weights:
            continue
        values = [arrays.get(f"{layer.name}/{name}") for name in ("kernel", "bias")]
        if any(v is None or v.shape != tuple(w.shape) for v, w in zip(values, layer.weights, strict=True)):
            missing.append(layer.name)
        else:
            layer.set_weights(values)
    return missing
