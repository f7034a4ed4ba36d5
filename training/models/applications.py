"""Backbones of keras.applications under the class-map head.

Every network takes pixels scaled to -1…1, as all of ours do; what the published weights expect instead
(0…255, caffe's mean-free BGR, torch's statistics) is a fixed layer of the graph, so that it travels with the
model and serving needs to know one preprocessing only.
"""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from keras import layers

from training.models.head import class_map_model

#: What the published weights of each backbone expect.
EXPECTS: MappingProxyType[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("MobileNet", "MobileNetV2", "Xception", "InceptionV3", "InceptionResNetV2", "NASNetMobile",
             "NASNetLarge", "ResNet50V2", "ResNet101V2", "ResNet152V2"), "tf"
        ),
        **dict.fromkeys(("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"), "caffe"),
        **dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), "torch"),
        **dict.fromkeys(
            ("MobileNetV3Small", "MobileNetV3Large", *(f"EfficientNetV2{size}" for size in (
                "B0", "B1", "B2", "B3", "S", "M", "L")), *(f"ConvNeXt{size}" for size in (
                    "Tiny", "Small", "Base", "Large", "XLarge"))), "pixels"
        ),
        **{f"EfficientNetB{n}": "efficientnet" for n in range(8)},
    }
)  # fmt: skip
CAFFE_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
TORCH_MEAN, TORCH_DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def build_application(name: str, classes: int, *, input_size: int = 224, alpha: float = 1.0) -> keras.Model:
    """A keras.applications backbone with random weights under the class-map head.

    Args:
        name: such as ``VGG16``, a key of `EXPECTS`.
        classes: number of labels.
        input_size: side of the square input in pixels.
        alpha: width multiplier, for the MobileNets.

    Raises:
        ValueError: the backbone takes no such size or width.
    """
    image = keras.Input((input_size, input_size, 3), name="image")
    backbone = application(name, input_size, alpha, input_tensor=preprocess(image, EXPECTS[name]))
    model = class_map_model(image, backbone.output, classes, f"{name.lower()}_class_maps")
    set_preprocessing(model, EXPECTS[name])
    return model


def application(name: str, input_size: int, alpha: float = 1.0, **options: Any) -> keras.Model:
    """The backbone alone, by keras.applications; random unless ``weights`` is among the options."""
    build = getattr(keras.applications, name)
    options.setdefault("weights", None)
    if "alpha" in inspect.signature(build).parameters:
        options["alpha"] = alpha
    elif alpha != 1.0:
        raise ValueError(f"{name} has no width multiplier. Received: alpha={alpha}")
    if options.get("input_tensor") is None:
        options["input_shape"] = (input_size, input_size, 3)
    return build(include_top=False, **options)


def preprocess(image: keras.KerasTensor, expects: str) -> keras.KerasTensor:
    """-1…1 RGB → what the published weights expect."""
    if expects == "tf":
        return image
    if expects == "pixels":
        return layers.Rescaling(127.5, 127.5, name="to_pixels")(image)
    if expects == "efficientnet":
        return layers.Rescaling(*_efficientnet(), name="to_pixels")(image)
    return layers.Conv2D(3, 1, trainable=False, name="preprocess")(image)


def _efficientnet() -> tuple[list[float], list[float]]:
    """Scale and offset to 0…255, and through ImageNet's deviation once more.

    keras.applications adds that second division only together with the weights "imagenet", not when a
    network is rebuilt; ``255 * (m + (x / 255 - m) / sqrt(s))`` before its normalisation does the same.
    """
    root = np.sqrt(TORCH_DEVIATION)
    scale = 127.5 / root
    return scale.tolist(), (scale + 255 * TORCH_MEAN * (1 - 1 / root)).tolist()


def set_preprocessing(model: keras.Model, expects: str) -> None:
    """Write the fixed weights of the layer ``preprocess``, if there is one."""
    if expects == "caffe":
        kernel = np.eye(3, dtype=np.float32)[::-1] * 127.5
        bias = 127.5 - CAFFE_MEAN_BGR
    elif expects == "torch":
        kernel = np.diag(0.5 / TORCH_DEVIATION)
        bias = (0.5 - TORCH_MEAN) / TORCH_DEVIATION
    else:
        return
    model.get_layer("preprocess").set_weights(
        [kernel.astype(np.float32)[None, None], bias.astype(np.float32)]
    )
