"""Curves over the detector's score threshold, from the boxes found on whole photographs."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation.detection_metrics import Detections, assign, average_precision
from training.evaluation.whole_photographs import Seen, boxes_and_scores

#: IoUs of the precision-recall curves.
OVERLAPS = (0.5, 0.75)
#: Score thresholds of the other curves.
THRESHOLDS = np.linspace(0.01, 0.99, 99).round(2)


def detection_curves(seen: Seen, score: float) -> dict[str, Any]:
    """Return the curves as plain numbers.

    Args:
        seen: photographs and what was found on them.
        score: the threshold that the app uses.

    Returns:
        ``score``: the threshold.
        ``precision_recall``: for each IoU (as text) ``recall``, ``precision``, ``ap`` and ``at``, which is
        recall and precision at ``score``, or None if nothing is found there. Empty without a true box.
        ``thresholds``: score thresholds of the other curves.
        ``recall``: recall at IoU .5; None without a true box.
        ``false_alarms``: share of pet-less photographs with a detection; None without such photographs.
    """
    truths, found = [scene.boxes for scene in seen.scenes], boxes_and_scores(seen.found)
    alarms = np.array([scores.max(initial=0.0) for _, scores in boxes_and_scores(seen.alarms)])
    boxes = sum(len(truth) for truth in truths)
    curves: dict[str, Any] = {
        "score": score,
        "precision_recall": {},
        "thresholds": THRESHOLDS.tolist(),
        "recall": None,
        "false_alarms": None,
    }
    if boxes:
        for overlap in OVERLAPS:
            curves["precision_recall"][f"{overlap:g}"] = precision_recall(truths, found, overlap, score)
        scores, right = _ranked(truths, found, 0.5)
        curves["recall"] = [int((right & (scores >= t)).sum()) / boxes for t in THRESHOLDS]
    if len(alarms):
        curves["false_alarms"] = [float((alarms >= t).mean()) for t in THRESHOLDS]
    return curves


def precision_recall(
    truths: list[np.ndarray], found: list[Detections], overlap: float, score: float
) -> dict[str, Any]:
    """Return one curve of `detection_curves`: the best precision at each recall or beyond, as in COCO's AP.

    Args:
        truths: true boxes of each photograph, at least one in all.
        found: boxes and scores of each photograph.
        overlap: IoU from which a box counts as found.
        score: threshold to mark.
    """
    scores, right = _ranked(truths, found, overlap)
    total = sum(len(truth) for truth in truths)
    hits = np.cumsum(right)
    recall, precision = hits / total, hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    kept = int((scores >= score).sum())
    return {
        "recall": recall.tolist(),
        "precision": envelope.tolist(),
        "ap": average_precision(truths, found, overlap),
        "at": [float(recall[kept - 1]), float(precision[kept - 1])] if kept else None,
    }


def _ranked(
    truths: list[np.ndarray], found: list[Detections], overlap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores ``(n,)`` of all detections, highest first, and which of them are right.

    Lower scores never change which higher ones are right, so every threshold is a prefix of this list.
    """
    right = np.concatenate([assign(t, *d, overlap) for t, d in zip(truths, found, strict=True)])
    scores = np.concatenate([d[1] for d in found])
    order = np.argsort(-scores, kind="stable")
    return scores[order], right[order]
