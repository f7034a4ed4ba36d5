"""Size, speed and accuracy of each number format a network can be shipped in, and which one to ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.inference.boxes import decode, non_maximum_suppression, ssd_anchors
from smartbreed.inference.classifier import softmax
from smartbreed.inference.detector import Detector
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.pixels import resample, to_input
from smartbreed.inference.runtime import Network, default_threads
from training.calibration.temperature import expected_calibration_error
from training.data import Scene
from training.evaluation.detection_metrics import average_precision, coco_map, recall
from training.evaluation.speed import latencies
from training.evaluation.whole_photographs import as_photo

#: The form the others are held against.
REFERENCE = "float32"
#: A form may lose at most this much of the judging figure; its calibration error may grow by as much.
MAY_LOSE = 0.005
#: Latencies within this share of the best count as equal; then the smaller file wins.
AS_FAST = 0.15


def classifier_forms(
    paths: Mapping[str, Path], images: np.ndarray, truth: np.ndarray, identifier: Identifier
) -> dict[str, dict[str, Any]]:
    """What each form of a classifier does on test crops.

    Args:
        paths: ``.tflite`` file of each form, `REFERENCE` among them.
        images: uint8 ``(n, size, size, 3)`` of the network's input size.
        truth: number of each picture's label ``(n,)``.
        identifier: the bundle whose temperature and preprocessing apply.

    Returns:
        For each form ``bytes, milliseconds, quiet_milliseconds, top1, ece, logit_change`` (mean absolute
        difference of the logits from the reference's) and ``agreement`` (share of the same first guesses).
    """
    config = identifier.classifier.config
    networks = {form: Network(path, default_threads()) for form, path in paths.items()}
    logits = {
        form: _logits(network, images, config.scale, config.offset) for form, network in networks.items()
    }
    few = np.concatenate([to_input(image, config.scale, config.offset) for image in images[:32]])
    times, exact = latencies(networks, few), logits[REFERENCE]
    table = {}
    for form, values in logits.items():
        probabilities = softmax(values / config.temperature)
        right = probabilities.argmax(1) == truth
        table[form] = {
            "bytes": paths[form].stat().st_size,
            **times[form],
            "top1": float(right.mean()),
            "ece": expected_calibration_error(probabilities.max(1), right),
            "logit_change": float(np.abs(values - exact).mean()),
            "agreement": float((values.argmax(1) == exact.argmax(1)).mean()),
        }
    return table


def detector_forms(
    paths: Mapping[str, Path], scenes: Sequence[Scene], detector: Detector
) -> dict[str, dict[str, Any]]:
    """What each form of a detector does on whole photographs, without the classifier's second look.

    Returns:
        For each form ``bytes, milliseconds, quiet_milliseconds, recall`` (IoU .5, score .3), ``ap50``,
        ``ap75``, ``map``.
    """
    config, truths = detector.config, [scene.boxes for scene in scenes]
    networks = {form: Network(path, default_threads()) for form, path in paths.items()}
    size = (config.input_size, config.input_size)
    inputs = []
    for scene in scenes:
        picture = as_photo(scene.image).to_pil()
        pixels = resample(picture, (0, 0, *picture.size), size)
        inputs.append(to_input(pixels, config.scale, config.offset))
    times = latencies(networks, np.concatenate(inputs[:16]))
    table = {}
    for form, network in networks.items():
        found = [_boxes(network(image), scene, config) for image, scene in zip(inputs, scenes, strict=True)]
        table[form] = {
            "bytes": paths[form].stat().st_size,
            **times[form],
            "recall": recall(truths, found, 0.5, 0.3),
            "ap50": average_precision(truths, found, 0.5),
            "ap75": average_precision(truths, found, 0.75),
            "map": coco_map(truths, found),
        }
    return table


def choose_form(table: Mapping[str, Mapping[str, Any]], figure: str) -> str:
    """The form to ship.

    The rule: of the forms that lose at most `MAY_LOSE` of ``figure`` against float32 (and whose calibration
    error, where there is one, is at most `MAY_LOSE` higher) those that are within `AS_FAST` of the fastest;
    of these the smallest file.

    Args:
        table: from `classifier_forms` or `detector_forms`.
        figure: ``top1`` or ``map``.
    """
    exact = table[REFERENCE]
    good = [
        form
        for form, row in table.items()
        if row[figure] >= exact[figure] - MAY_LOSE and row.get("ece", 0) <= exact.get("ece", 0) + MAY_LOSE
    ]
    fastest = min(table[form]["quiet_milliseconds"] for form in good)
    near = [form for form in good if table[form]["quiet_milliseconds"] <= fastest * (1 + AS_FAST)]
    return min(near, key=lambda form: table[form]["bytes"])


def _logits(network: Network, images: np.ndarray, scale: float, offset: float) -> np.ndarray:
    with ThreadPoolExecutor(default_threads()) as pool:
        return np.stack(list(pool.map(lambda i: network(to_input(i, scale, offset))["logits"][0], images)))


def _boxes(output: dict[str, np.ndarray], scene: Scene, config: Any) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in pixels and scores, as `smartbreed.inference.detector.Detector.detect` reads them."""
    scores = 1 / (1 + np.exp(-output["scores"][0].max(axis=1)))
    likely = np.flatnonzero(scores >= 0.01)
    boxes = np.clip(decode(output["boxes"][0, likely], ssd_anchors()[likely]), 0, 1)
    kept = non_maximum_suppression(boxes, scores[likely], config.overlap, config.most)
    height, width = scene.image.shape[:2]
    return boxes[kept] * np.array([width, height] * 2, np.float32), scores[likely][kept]
