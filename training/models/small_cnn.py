"""A small convolutional network to train from scratch: the baseline that transfer learning has to beat."""

from __future__ import annotations

import keras
from keras import layers

from training.models.head import class_map_model

#: Channels of the five blocks; each halves the feature map.
WIDTHS = (32, 64, 128, 128, 256)


def build_small_cnn(classes: int, *, input_size: int = 128, alpha: float = 1.0) -> keras.Model:
    """Build five blocks of convolution, ReLU and max pooling, with the class-map head.

    Args:
        classes: number of labels.
        input_size: side of the square input in pixels; a multiple of 32.
        alpha: width multiplier.
    """
    if input_size % 32:
        raise ValueError(f"input_size must be a multiple of 32. Received: input_size={input_size}")
    image = keras.Input((input_size, input_size, 3), name="image")
    x = image
    for number, width in enumerate(WIDTHS, start=1):
        x = layers.Conv2D(
            max(4, int(width * alpha)), 3, padding="same", activation="relu",
            kernel_initializer="he_normal", name=f"conv_{number}",
        )(x)  # fmt: skip
        x = layers.MaxPooling2D(2, name=f"pool_{number}")(x)
    return class_map_model(image, x, classes, "small_cnn_class_maps")
