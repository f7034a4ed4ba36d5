"""Size, speed and accuracy of the number formats a network can ship in, and the rule that chooses one.

A bundle's networks are exported in every format ("form") and measured; the chosen form goes into the bundle.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.inference.boxes import decode, non_maximum_suppression, ssd_anchors
from smartbreed.inference.bundle import CONFIG, load_bundle, write_config
from smartbreed.inference.classifier import softmax
from smartbreed.inference.detector import Detector
from smartbreed.inference.pipeline import Identifier, self_test_picture
from smartbreed.inference.pixels import resample, to_input
from smartbreed.inference.runtime import NETWORK_THREADS, Network, default_threads
from training.calibration.temperature import expected_calibration_error
from training.data import Crops, Scene
from training.evaluation.answers import true_labels
from training.evaluation.detection_metrics import average_precision, coco_map, recall
from training.evaluation.whole_photographs import as_photo
from training.export.activation_ranges import squashed
from training.export.litert import form_of

#: Timed runs of each network, and untimed runs before them.
RUNS, WARM_UP = 80, 8


def latencies(
    networks: Mapping[str, Network], images: np.ndarray, runs: int = RUNS
) -> dict[str, dict[str, float]]:
    """Measure the latency of each network in milliseconds.

    The median is what a user waits on this machine under its current load. The tenth percentile hardly
    depends on other load, so networks are compared by it. The networks take turns.

    Args:
        networks: networks by name.
        images: float32 ``(n, height, width, 3)``, preprocessed.
        runs: timed runs of each network.

    Returns:
        For each network ``milliseconds`` (median) and ``quiet_milliseconds`` (tenth percentile).
    """
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(WARM_UP + runs):
        image = images[turn % len(images)][None]
        for name, network in networks.items():
            started = time.perf_counter()
            network(image)
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - started)
    return {
        name: {
            "milliseconds": float(np.median(values)) * 1000,
            "quiet_milliseconds": float(np.quantile(values, 0.1)) * 1000,
        }
        for name, values in times.items()
    }


def threads() -> int:
    """Return the number of threads that one network runs on here."""
    return NETWORK_THREADS


#: The form that the others are compared with.
REFERENCE = "float32"
#: Largest loss of the compared figure (top-1 or mAP), and largest rise of the calibration error, 0…1.
MAY_LOSE = 0.005
#: Latencies up to this share above the best count as equal; among equals the smallest file wins.
AS_FAST = 0.15


def classifier_forms(
    paths: Mapping[str, Path], images: np.ndarray, truth: np.ndarray, identifier: Identifier
) -> dict[str, dict[str, Any]]:
    """Measure each form of a classifier on test crops.

    Args:
        paths: ``.tflite`` file of each form, including `REFERENCE`.
        images: uint8 ``(n, size, size, 3)`` of the network's input size.
        truth: label number of each picture ``(n,)``.
        identifier: the bundle whose temperature and preprocessing apply.

    Returns:
        For each form ``bytes, milliseconds, quiet_milliseconds, top1, ece, logit_change`` (mean absolute
        difference of the logits from the reference's) and ``agreement`` (share of equal first guesses).
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
    """Measure each form of a detector on whole photographs, without box verification.

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
    """Choose the form to ship.

    Eligible are forms that lose at most `MAY_LOSE` of ``figure`` against float32 and whose calibration error,
    if there is one, is at most `MAY_LOSE` higher. Of the eligible forms within `AS_FAST` of the fastest, the
    smallest file wins.

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
    """Return boxes in pixels and scores, read as `smartbreed.inference.detector.Detector.detect` does."""
    scores = 1 / (1 + np.exp(-output["scores"][0].max(axis=1)))
    likely = np.flatnonzero(scores >= 0.01)
    boxes = np.clip(decode(output["boxes"][0, likely], ssd_anchors()[likely]), 0, 1)
    kept = non_maximum_suppression(boxes, scores[likely], config.overlap, config.most)
    height, width = scene.image.shape[:2]
    return boxes[kept] * np.array([width, height] * 2, np.float32), scores[likely][kept]


#: The figure by which the forms of each network are compared.
COMPARED_BY = {"classifier": "top1", "detector": "map"}


@dataclass(frozen=True)
class Calibration:
    """Pictures from which the ranges of int8 activations are taken; never test pictures.

    Attributes:
        crops: uint8 ``(n, size, size, 3)``.
        scenes: uint8 whole photographs of any size.
    """

    crops: np.ndarray
    scenes: Sequence[np.ndarray] | np.ndarray


@contextmanager
def exported_forms(folder: Path, calibration: Calibration) -> Iterator[dict[str, dict[str, Path]]]:
    """Export every form of a bundle's networks; the files exist while the block lasts.

    The form that the bundle ships is its own file; the others come from its Keras weights.

    Yields:
        Network → form → file. A network without Keras weights, or without calibration pictures, is left out.

    Raises:
        BundleError: the Keras weights fit no known network.
    """
    from training.export.litert import export_forms
    from training.models.from_bundle import rebuild_classifier

    bundle = load_bundle(folder)
    with tempfile.TemporaryDirectory() as temporary:
        paths: dict[str, dict[str, Path]] = {}
        classifier, detector = bundle.config.classifier, bundle.config.detector
        if classifier.weights and len(calibration.crops):
            pictures = squashed(calibration.crops, classifier.input_size)
            paths["classifier"] = export_forms(rebuild_classifier(bundle), Path(temporary), pictures)
        if detector and detector.weights and len(calibration.scenes):
            from training.models.from_bundle import rebuild_detector

            pictures = squashed(calibration.scenes, detector.input_size)
            paths["detector"] = export_forms(
                rebuild_detector(bundle), Path(temporary), pictures, name="detector"
            )
        for name, forms in paths.items():
            served = bundle.path(getattr(bundle.config, name).file)
            forms[form_of(served)] = served  # the shipped file, not one with ranges of other pictures
        yield paths


def form_scores(
    folder: Path, paths: dict[str, dict[str, Path]], crops: Crops, scenes: Sequence[Scene]
) -> dict[str, Any]:
    """Return the table of forms of each network, with the chosen form and the one that the bundle ships.

    Args:
        folder: the bundle.
        paths: from `exported_forms`.
        crops: test crops.
        scenes: whole test photographs with pets.
    """
    identifier = Identifier(load_bundle(folder))
    scores: dict[str, Any] = {"threads": threads(), "rule": {"may_lose": MAY_LOSE, "as_fast": AS_FAST}}
    if "classifier" in paths:
        images = squashed(crops.images, identifier.classifier.config.input_size)
        table = classifier_forms(paths["classifier"], images, true_labels(identifier, crops), identifier)
        scores["classifier"] = _compared(
            "classifier", table, identifier.bundle.path(identifier.classifier.config.file)
        )
    if "detector" in paths and identifier.detector is not None and scenes:
        table = detector_forms(paths["detector"], scenes, identifier.detector)
        scores["detector"] = _compared(
            "detector", table, identifier.bundle.path(identifier.detector.config.file)
        )
    return scores


def ship(folder: Path, paths: dict[str, dict[str, Path]], scores: dict[str, Any]) -> list[str]:
    """Put the chosen form of every network into the bundle; return ``network: form`` for each change.

    The self-test is renewed. Temperature and thresholds stay, because only a form that keeps the calibration
    error is chosen.
    """
    changed = []
    config, sections = json.loads((folder / CONFIG).read_text()), load_bundle(folder).config
    for network in COMPARED_BY:
        table = scores.get(network)
        if table and table["chosen"] != table["shipped"]:
            shutil.copyfile(paths[network][table["chosen"]], folder / getattr(sections, network).file)
            changed.append(f"{network}: {table['chosen']}")
            table["shipped"] = table["chosen"]
    if changed:
        before = config.pop("self_test", {})
        write_config(folder, config)
        identifier = Identifier(load_bundle(folder))
        logits = identifier.classifier.run(self_test_picture(sections.classifier.input_size)).logits
        config["self_test"] = {**before, "logits": [round(float(value), 4) for value in logits]}
        write_config(folder, config)
    return changed


def _compared(network: str, table: dict[str, dict[str, Any]], shipped: Path) -> dict[str, Any]:
    figure = COMPARED_BY[network]
    return {
        "figure": figure,
        "forms": table,
        "chosen": choose_form(table, figure),
        "shipped": form_of(shipped),
        "int8_loses": table[REFERENCE][figure] - table["int8"][figure],
    }
