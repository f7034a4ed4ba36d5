"""Backbones of keras.applications with the class-map head.

Every network here takes pixels scaled to -1…1. Where the published weights expect something else (0…255,
Caffe's mean-subtracted BGR, torch's statistics), a fixed layer of the graph converts the input, so serving
only has to know one preprocessing.
"""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from keras import layers

from training.models.head import class_map_model

#: Input that the published weights of each backbone expect; see `preprocess`.
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
    """Build a keras.applications backbone with random weights and the class-map head.

    Args:
        name: key of `EXPECTS`, such as ``VGG16``.
        classes: number of labels.
        input_size: side of the square input in pixels.
        alpha: width multiplier, for the MobileNets.

    Raises:
        ValueError: the backbone does not support this size or width.
    """
    image = keras.Input((input_size, input_size, 3), name="image")
    backbone = application(name, input_size, alpha, input_tensor=preprocess(image, EXPECTS[name]))
    model = class_map_model(image, backbone.output, classes, f"{name.lower()}_class_maps")
    set_preprocessing(model, EXPECTS[name])
    return model


def application(name: str, input_size: int, alpha: float = 1.0, **options: Any) -> keras.Model:
    """Build the bare keras.applications backbone; its weights are random unless ``options`` names others."""
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
    """Convert RGB in -1…1 to the input that the published weights expect."""
    if expects == "tf":
        return image
    if expects == "pixels":
        return layers.Rescaling(127.5, 127.5, name="to_pixels")(image)
    if expects == "efficientnet":
        return layers.Rescaling(*_efficientnet(), name="to_pixels")(image)
    return layers.Conv2D(3, 1, trainable=False, name="preprocess")(image)


def _efficientnet() -> tuple[list[float], list[float]]:
    """Return scale and offset that convert -1…1 to 0…255 and include EfficientNet's second normalisation.

    keras.applications adds a second division by ImageNet's deviation only if it loads the weights "imagenet",
    not if the network is rebuilt. Applying ``255 * (m + (x / 255 - m) / sqrt(s))`` before its normalisation
    has the same effect.
    """
    root = np.sqrt(TORCH_DEVIATION)
    scale = 127.5 / root
    return scale.tolist(), (scale + 255 * TORCH_MEAN * (1 - 1 / root)).tolist()


def set_preprocessing(model: keras.Model, expects: str) -> None:
    """Set the fixed weights of the layer ``preprocess``, if the model has one."""
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
