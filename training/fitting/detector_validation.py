"""What a detector in training finds in photographs, and how good that is."""

from __future__ import annotations

import keras
import numpy as np
from PIL import Image

from smartbreed.inference.boxes import decode, non_maximum_suppression, ssd_anchors
from training.data import Scene
from training.evaluation.detection_metrics import Detections, average_precision, false_alarm_rate, recall
from training.models.embeddings import scale
from training.models.ssd_mobilenet_v1 import SIZE


def detect(
    model: keras.Model, images: list[np.ndarray], *, score: float = 0.05, overlap: float = 0.5
) -> list[Detections]:
    """Boxes in 0…1 and scores of each picture, after suppression; for judging a network in training."""
    anchors, results = ssd_anchors(), []
    for start in range(0, len(images), 16):
        batch = np.stack(
            [
                np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
                for image in images[start : start + 16]
            ]
        )
        output = model.predict_on_batch(scale(batch))
        for codes, logits in zip(np.asarray(output["boxes"]), np.asarray(output["scores"]), strict=True):
            scores = 1 / (1 + np.exp(-logits.max(1)))
            likely = scores >= score
            boxes = np.clip(decode(codes[likely], anchors[likely]), 0, 1)
            kept = non_maximum_suppression(boxes, scores[likely], overlap, 20)
            results.append((boxes[kept], scores[likely][kept]))
    return results


def evaluate(model: keras.Model, scenes: list[Scene]) -> dict[str, float]:
    """COCO's mAP (mean AP over IoU .5, .55 … .95), AP50, AP75 and recall; false alarms without a pet."""
    pets = [scene for scene in scenes if len(scene.boxes)]
    empty = [scene for scene in scenes if not len(scene.boxes)]
    truths = [s.boxes / np.array([s.image.shape[1], s.image.shape[0]] * 2, np.float32) for s in pets]
    found, alarms = detect(model, [s.image for s in pets]), detect(model, [s.image for s in empty])
    by_overlap = {t: average_precision(truths, found, t / 100) for t in range(50, 100, 5)}
    result = {"map": round(float(np.mean(list(by_overlap.values()))), 4)}
    result |= {f"ap{t}": round(by_overlap[t], 4) for t in (50, 75)}
    for score in (0.3, 0.4, 0.5, 0.6):
        result[f"recall@{score}"] = round(recall(truths, found, 0.5, score), 4)
        result[f"false_alarms@{score}"] = round(false_alarm_rate(alarms, score), 4)
    return result


def hardness(detections: list[Detections]) -> np.ndarray:
    """Draw a pet-less photograph up to seven times as often when the starting network sees a pet in it.

    Without COCO's other 88 classes to lose against, badgers and monkeys look like dogs.
    """
    return np.array([1 + 6 * min(1.0, 2 * scores.max(initial=0.0)) for _, scores in detections])
