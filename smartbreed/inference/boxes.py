"""Geometry of boxes: anchors, decoding, IoU, non-maximum suppression. Plain numpy.

Boxes are ``(n, 4)`` float arrays of x0, y0, x1, y1 unless a name says otherwise.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

#: Scales (inverse variances) of centres and sizes in SSD box codes (Liu et al. 2016,
#: https://arxiv.org/abs/1512.02325).
CENTRE_SCALE, SIZE_SCALE = 10.0, 5.0
#: Log size changes are clipped to this, so that extreme outputs of a network cannot overflow.
MAX_LOG_SIZE = 8.0


@lru_cache(maxsize=4)
def ssd_anchors(grids: tuple[int, ...] = (19, 10, 5, 3, 2, 1)) -> np.ndarray:
    """Return the anchors of SSD MobileNet in the layout of TensorFlow's Object Detection API.

    Six maps, scales 0.2…0.95, aspect ratios 1, 2, 1/2, 3, 1/3 and one more square
    between two scales; only three anchors per cell on the finest map.

    Returns:
        float32 ``(n, 4)`` of y centre, x centre, height, width in 0…1; n = 1917
        for the default grids. Read-only.
    """
    levels = len(grids)
    scales = [0.2 + (0.95 - 0.2) * i / (levels - 1) for i in range(levels)] + [1.0]
    rows = []
    for level, grid in enumerate(grids):
        scale = scales[level]
        if level == 0:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [(scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)]
            shapes.append((float(np.sqrt(scale * scales[level + 1])), 1.0))
        centres = (np.arange(grid) + 0.5) / grid
        for y in centres:
            for x in centres:
                rows += [(y, x, size / np.sqrt(ratio), size * np.sqrt(ratio)) for size, ratio in shapes]
    anchors = np.array(rows, np.float32)
    anchors.setflags(write=False)
    return anchors


def decode(codes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Decode SSD box codes ``(n, 4)`` (dy, dx, dh, dw) on ``anchors (n, 4)`` to boxes in 0…1."""
    sizes = np.exp(np.clip(codes[:, 2:] / SIZE_SCALE, -MAX_LOG_SIZE, MAX_LOG_SIZE)) * anchors[:, 2:]
    centres = codes[:, :2] / CENTRE_SCALE * anchors[:, 2:] + anchors[:, :2]
    low, high = centres - sizes / 2, centres + sizes / 2
    return np.stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]], axis=1)


def encode(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Encode boxes of positive size: the inverse of `decode`."""
    sizes = np.stack([boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]], axis=1)
    centres = np.stack([boxes[:, 1] + boxes[:, 3], boxes[:, 0] + boxes[:, 2]], axis=1) / 2
    offsets = (centres - anchors[:, :2]) / anchors[:, 2:] * CENTRE_SCALE
    return np.concatenate([offsets, np.log(sizes / anchors[:, 2:]) * SIZE_SCALE], axis=1)


def area(boxes: np.ndarray) -> np.ndarray:
    """Return the areas ``(n,)``; a box with swapped corners counts 0."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersection over union of every pair: ``(n, 4)``, ``(m, 4)`` → ``(n, m)`` in 0…1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    union = area(first)[:, None] + area(second)[None, :] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def share_inside(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the share of each box inside each of ``others``: ``(n, 4)``, ``(m, 4)`` → ``(n, m)`` in 0…1."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    whole = np.broadcast_to(area(boxes)[:, None], common.shape)
    return np.asarray(np.divide(common, whole, out=np.zeros_like(common), where=whole > 0))


def non_maximum_suppression(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, limit: int
) -> np.ndarray:
    """Apply greedy class-agnostic non-maximum suppression.

    Args:
        boxes: ``(n, 4)``.
        scores: ``(n,)``.
        threshold: a box is dropped when its IoU with a better one is above this.
        limit: maximum number of boxes kept.

    Returns:
        Indices of the kept boxes, best first.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size and len(kept) < limit:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[iou(boxes[best][None], boxes[order])[0] <= threshold]
    return np.array(kept, np.int64)


def with_margin(box: np.ndarray, margin: float, width: int, height: int) -> tuple[float, float, float, float]:
    """Grow a box on every side by ``margin`` times its width or height, clipped to the picture."""
    x0, y0, x1, y1 = (float(v) for v in box)
    dx, dy = (x1 - x0) * margin, (y1 - y0) * margin
    return max(0.0, x0 - dx), max(0.0, y0 - dy), min(float(width), x1 + dx), min(float(height), y1 + dy)
