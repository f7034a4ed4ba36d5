"""Export a bundle's networks in every form, measure the forms, and ship the one the rule chooses."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.inference.bundle import CONFIG, load_bundle, write_config
from smartbreed.inference.pipeline import Identifier, self_test_picture
from training.data import Crops, Scene
from training.evaluation.answers import true_labels
from training.evaluation.forms import (
    AS_FAST,
    MAY_LOSE,
    REFERENCE,
    choose_form,
    classifier_forms,
    detector_forms,
)
from training.evaluation.speed import threads
from training.export.activation_ranges import squashed
from training.export.litert import form_of

#: The figure each network's forms are judged by.
COMPARED_BY = {"classifier": "top1", "detector": "map"}


@dataclass(frozen=True)
class Calibration:
    """Pictures the ranges of int8 activations are taken from; never test pictures.

    Attributes:
        crops: uint8 ``(n, size, size, 3)``.
        scenes: uint8 whole photographs of any size.
    """

    crops: np.ndarray
    scenes: Sequence[np.ndarray] | np.ndarray


@contextmanager
def exported_forms(folder: Path, calibration: Calibration) -> Iterator[dict[str, dict[str, Path]]]:
    """Every form of a bundle's networks while the block lasts.

    The one it has as it is, the others from its Keras weights.

    Yields:
        Network → form → file; a network without Keras weights, or whose pictures are missing, is left out.

    Raises:
        BundleError: Keras weights that fit no network known here.
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
            forms[form_of(served)] = served  # itself, not its like with other pictures' ranges
        yield paths


def form_scores(
    folder: Path, paths: dict[str, dict[str, Path]], crops: Crops, scenes: Sequence[Scene]
) -> dict[str, Any]:
    """The table of forms of each network, the chosen one and the one the bundle ships.

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
    """Put the chosen form of every network into the bundle; returns ``network: form`` of those that changed.

    The self-test is taken anew. Temperature and thresholds stay: a form is chosen only if they still hold.
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
