"""The SSD objective: anchor matching and a loss with hard-negative mining."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from smartbreed.inference.boxes import encode, iou


def match(
    boxes: np.ndarray,
    species: np.ndarray,
    anchors: np.ndarray,
    corners: np.ndarray,
    classes: int,
    threshold: float = 0.5,
) -> np.ndarray:
    """Return the targets of one picture.

    An anchor is matched to the box it overlaps best if their IoU is at least ``threshold``. Every box is
    also matched to its best anchor among those that no earlier box took.

    Args:
        boxes: ``(n, 4)`` in 0…1.
        species: class of each box, ``(n,)``.
        anchors: ``(a, 4)``, centres and sizes.
        corners: the anchors as boxes, ``(a, 4)``.
        classes: number of classes.
        threshold: smallest IoU of a match.

    Returns:
        float32 ``(a, 4 + classes + 1)``: box code, one-hot class, and 1 where the anchor counts. The last is
        0 where the anchor overlaps a pet too little to be a match and too much to be background.
    """
    targets = np.zeros((len(anchors), 4 + classes + 1), np.float32)
    targets[:, -1] = 1
    if not len(boxes):
        return targets
    overlaps = iou(corners, boxes)
    best = overlaps.argmax(1)
    score = overlaps.max(1)
    for index in range(len(boxes)):
        anchor = overlaps[:, index].argmax()
        best[anchor], score[anchor] = index, 1.0
        overlaps[anchor] = -1  # taken: small neighbouring pets often share their best anchor
    positive = score >= threshold
    targets[(score >= 0.4) & ~positive, -1] = 0
    targets[positive, :4] = encode(boxes[best[positive]], anchors[positive])
    targets[positive, 4 + species[best[positive]]] = 1
    return targets


class SSDLoss(keras.losses.Loss):  # type: ignore[misc]
    """Smooth L1 on the box codes of positives, plus sigmoid cross-entropy on positives and hardest negatives.

    Args:
        negatives: negatives kept per positive anchor of the batch.
        fewest: negatives kept in addition, so that a batch without positives has some.
        most: largest number of negatives of a batch; fixed, so that shapes are static on every backend.
        box_weight: weight of the box term.
    """

    def __init__(
        self, negatives: int = 3, fewest: int = 40, most: int = 1000, box_weight: float = 1.0
    ) -> None:
        super().__init__(name="ssd")
        self.negatives, self.fewest, self.most, self.box_weight = negatives, fewest, most, box_weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of a batch.

        Args:
            y_true: targets as from `match`, batched.
            y_pred: ``(batch, anchors, 4 + classes)``.
        """
        codes, classes, counts = y_true[..., :4], y_true[..., 4:-1], y_true[..., -1]
        positive = ops.max(classes, axis=-1)
        matched = ops.maximum(ops.sum(positive), 1.0)
        difference = ops.abs(y_pred[..., :4] - codes)
        smooth = ops.sum(ops.where(difference < 1, 0.5 * difference**2, difference - 0.5), axis=-1)
        box_loss = ops.sum(smooth * positive) / matched
        logits = y_pred[..., 4:]
        entropy = ops.sum(
            ops.maximum(logits, 0) - logits * classes + ops.log1p(ops.exp(-ops.abs(logits))), axis=-1
        )
        negative = ops.reshape(entropy * (1 - positive) * counts, (-1,))
        hardest, _ = ops.top_k(negative, self.most)
        wanted = self.negatives * ops.sum(positive) + self.fewest
        rank = ops.cast(ops.arange(self.most), hardest.dtype)
        score_loss = (
            ops.sum(entropy * positive) + ops.sum(hardest * ops.cast(rank < wanted, hardest.dtype))
        ) / matched
        return score_loss + self.box_weight * box_loss
