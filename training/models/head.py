"""The class-map head that every classifier ends in."""

from __future__ import annotations

import keras
from keras import layers


def class_map_model(
    image: keras.KerasTensor, features: keras.KerasTensor, classes: int, name: str
) -> keras.Model:
    """Build a classifier whose head is a 1x1 convolution over the feature map, then global average pooling.

    The network's *class maps* are therefore its Grad-CAM, and their mean is the logits.

    Args:
        image: input of the network.
        features: feature map ``(batch, h, w, d)``.
        classes: number of labels.
        name: name of the model.

    Returns:
        A model from ``image`` to a dictionary of ``logits (batch, classes)``, ``class_maps (batch, h, w,
        classes)`` and ``embedding (batch, d)``.
    """
    embedding = layers.GlobalAveragePooling2D(name="embedding")(features)
    class_maps = layers.Conv2D(classes, 1, name="class_maps")(features)
    logits = layers.GlobalAveragePooling2D(name="logits")(class_maps)
    return keras.Model(image, {"logits": logits, "class_maps": class_maps, "embedding": embedding}, name=name)
