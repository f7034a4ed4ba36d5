"""What every score threshold of the detector would do, from what was found on whole photographs."""

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
    """The curves, as plain numbers.

    Args:
        seen: photographs and what was found on them.
        score: the threshold the app uses.

    Returns:
        ``score``; ``precision_recall``: for each IoU (as text) ``recall``, ``precision``, ``ap`` and
        ``at`` (recall and precision from ``score`` on; None where nothing is found there), empty without a
        true box; ``thresholds``, ``recall`` (at IoU .5) and ``false_alarms`` (share of pet-less photographs),
        each None where there is nothing to measure it on.
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
    """One curve of `detection_curves`: the best precision at each recall or beyond, as COCO's AP takes it.

    Args:
        truths: true boxes of each photograph, at least one in all.
        found: boxes and scores of each.
        overlap: IoU that counts as found.
        score: the threshold to mark.
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
    """Scores ``(n,)`` of all detections, the surest first, and which are right.

    Lower scores never change which higher ones are right, so every threshold is a cut of this list.
    """
    right = np.concatenate([assign(t, *d, overlap) for t, d in zip(truths, found, strict=True)])
    scores = np.concatenate([d[1] for d in found])
    order = np.argsort(-scores, kind="stable")
    return scores[order], right[order]
