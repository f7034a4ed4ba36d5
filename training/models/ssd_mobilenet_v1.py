"""SSD on MobileNet v1 (Liu et al. 2016, https://arxiv.org/abs/1512.02325) with batch norm folded away."""

from __future__ import annotations

import keras
from keras import layers

#: Side of the square input in pixels.
SIZE = 300
#: Channels of the 13 separable blocks, and the numbers of those that halve the feature map.
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDED = (2, 4, 6, 12)
#: Channels of the 1x1 and the 3x3 convolution of the extra stages 2…5.
EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))


def build_detector(classes: int = 2, *, input_size: int = SIZE, alpha: float = 0.75) -> keras.Model:
    """Build the pet detector with random weights.

    Args:
        classes: number of independent (sigmoid) classes of an anchor; there is no background class.
        input_size: side of the square input in pixels.
        alpha: width multiplier.

    Returns:
        A model from float images ``(batch, size, size, 3)`` scaled to -1…1 to
        ``boxes (batch, anchors, 4)``, encoded for `smartbreed.inference.boxes.decode`,
        and ``scores (batch, anchors, classes)``, logits. There are 1917 anchors at 300 pixels.
    """
    image = keras.Input((input_size, input_size, 3), name="image")
    x = layers.Conv2D(int(32 * alpha), 3, 2, padding="same", activation="relu6", name="Conv2d_0")(image)
    maps = []
    for k, width in enumerate(WIDTHS, start=1):
        stride = 2 if k in STRIDED else 1
        x = layers.DepthwiseConv2D(
            3, stride, padding="same", activation="relu6", name=f"Conv2d_{k}_depthwise"
        )(x)
        x = layers.Conv2D(int(width * alpha), 1, activation="relu6", name=f"Conv2d_{k}_pointwise")(x)
        if k in (11, 13):
            maps.append(x)
    for k, (narrow, wide) in enumerate(EXTRAS, start=2):
        x = layers.Conv2D(int(narrow * alpha), 1, activation="relu6", name=f"extra_{k}_1x1")(x)
        x = layers.Conv2D(int(wide * alpha), 3, 2, padding="same", activation="relu6", name=f"extra_{k}_3x3")(
            x
        )
        maps.append(x)
    boxes, scores = [], []
    for level, feature in enumerate(maps):
        anchors = 3 if level == 0 else 6
        box = layers.Conv2D(anchors * 4, 1, name=f"box_{level}")(feature)
        score = layers.Conv2D(anchors * classes, 1, name=f"cls_{level}")(feature)
        boxes.append(layers.Reshape((-1, 4), name=f"box_{level}_rows")(box))
        scores.append(layers.Reshape((-1, classes), name=f"cls_{level}_rows")(score))
    return keras.Model(
        image,
        {
            "boxes": layers.Concatenate(axis=1, name="boxes")(boxes),
            "scores": layers.Concatenate(axis=1, name="scores")(scores),
        },
        name="ssd_mobilenet_v1",
    )
