"""Detection metrics: recall, average precision as COCO defines it, false alarms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smartbreed.inference.boxes import iou

Detections = tuple[np.ndarray, np.ndarray]  # boxes (n, 4), scores (n,)


def assign(truth: np.ndarray, boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return which detections are right.

    Detections take turns, highest score first. Each takes the free true box with the largest IoU and is right
    if that IoU is at least ``threshold``.
    """
    right = np.zeros(len(boxes), bool)
    if not len(truth) or not len(boxes):
        return right
    overlaps = iou(boxes, truth)
    free = np.ones(len(truth), bool)
    for index in np.argsort(-scores, kind="stable"):
        candidates = np.where(free, overlaps[index], -1)
        best = candidates.argmax()
        if candidates[best] >= threshold:
            free[best], right[index] = False, True
    return right


def average_precision(
    truths: Sequence[np.ndarray], detections: Sequence[Detections], threshold: float
) -> float:
    """Return the area under the precision-recall curve at 101 recall points (COCO); nan without true boxes.

    Args:
        truths: true boxes of each picture.
        detections: boxes and scores of each picture.
        threshold: IoU from which a box counts as found.
    """
    total = sum(len(truth) for truth in truths)
    if not total:
        return float("nan")
    right = np.concatenate([assign(t, *d, threshold) for t, d in zip(truths, detections, strict=True)])
    scores = np.concatenate([d[1] for d in detections])
    right = right[np.argsort(-scores, kind="stable")]
    found = np.cumsum(right)
    recall, precision = found / total, found / np.arange(1, len(found) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    points = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[points].mean())


def coco_map(truths: Sequence[np.ndarray], detections: Sequence[Detections]) -> float:
    """Return the mean of `average_precision` over the IoU thresholds .5, .55, … .95: COCO's main figure."""
    thresholds = np.linspace(0.5, 0.95, 10).round(2)
    return float(np.mean([average_precision(truths, detections, float(t)) for t in thresholds]))


def recall(
    truths: Sequence[np.ndarray], detections: Sequence[Detections], threshold: float, score: float
) -> float:
    """Return the share of true boxes found with at least ``score`` and ``threshold`` IoU; nan without any."""
    found = total = 0
    for truth, (boxes, scores) in zip(truths, detections, strict=True):
        kept = scores >= score
        found += int(assign(truth, boxes[kept], scores[kept], threshold).sum())
        total += len(truth)
    return found / total if total else float("nan")


def false_alarm_rate(detections: Sequence[Detections], score: float) -> float:
    """Return the share of pet-less pictures with any box of at least ``score``; nan without pictures."""
    return (
        float(np.mean([(scores >= score).any() for _, scores in detections])) if detections else float("nan")
    )
