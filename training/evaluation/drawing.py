"""Plot a bundle's scores, and write the numbers behind the curves as ``curves.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.inference.pipeline import Identifier
from training.evaluation.answers import Answers
from training.evaluation.classification import confusion_matrix, mean_roc, risk_coverage
from training.evaluation.detection_curves import detection_curves
from training.evaluation.whole_photographs import Seen
from training.reporting import plots
from training.reporting.plots.confusion import WRITTEN
from training.reporting.wording import Wording, wording

#: Number of labels listed beside the ROC curve.
HARDEST = 12


def draw(
    identifier: Identifier,
    answers: Answers | None,
    seen: Seen | None,
    scores: dict[str, Any],
    folder: Path,
) -> None:
    """Write every PNG that there is data for, and ``curves.json`` next to the folder.

    Args:
        identifier: the model.
        answers: answers on crops; None if there were none.
        seen: whole photographs; None without photographs or without a detector.
        scores: scores of both.
        folder: folder of the plots.
    """
    curves: dict[str, Any] = {}
    if answers is not None:
        curves |= draw_crops(identifier, answers, scores, folder)
    if seen is not None and identifier.detector is not None:
        found = detection_curves(seen, identifier.detector.config.score)
        plots.detector(found, folder / "detector.png")
        curves["detector"] = _shortened(found)
    if "robustness" in scores:
        plots.robustness(scores["robustness"], words_of(identifier), folder / "robustness.png")
    (folder.parent / "curves.json").write_text(json.dumps(curves) + "\n")


def draw_crops(
    identifier: Identifier, answers: Answers, scores: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Plot the classifier's results on crops; return the numbers behind the curves."""
    names, labels = identifier.decision_rule.names, identifier.bundle.config.classifier.labels
    matrix = confusion_matrix(answers.truth, answers.said, len(names))
    plots.reliability(answers.confidence, answers.right, folder / "reliability.png")
    plots.coverage(
        answers.confidence, answers.right, verdict_marks(identifier, answers, scores), folder / "coverage.png"
    )
    plots.confusion(matrix, names, [label.group for label in labels], folder / "confusion.png")
    if len(names) > WRITTEN:  # else the full matrix shows the counts
        plots.confused_labels(matrix, names, folder / "confused_labels.png")
    known = dict(zip(identifier.labels, names, strict=True))
    named = {known[name]: value for name, value in scores["classifier"]["per_breed"].items()}
    plots.per_breed(named, folder / "hardest_breeds.png")
    if scores["groups"]:
        titles = {
            group: identifier.decision_rule.group_name(group) for group in identifier.decision_rule.groups
        }
        plots.per_group(scores["groups"], titles, folder / "groups.png")
    curves: dict[str, Any] = {"confusion": {"labels": identifier.labels, "matrix": matrix.tolist()}}
    if scores["classifier"]["macro_auc"] is not None:
        false, true = mean_roc(answers.probabilities, answers.truth)
        areas = {known[n]: row["auc"] for n, row in scores["per_label"].items() if row["auc"] is not None}
        hardest = dict(sorted(areas.items(), key=lambda item: item[1])[:HARDEST])
        auc, label = scores["classifier"]["macro_auc"], words_of(identifier).label
        plots.roc(false, true, auc, hardest, label, folder / "roc.png")
        curves["roc"] = {"false": _short(false), "true": _short(true)}
    curve = risk_coverage(answers.confidence, answers.right)
    curves["risk_coverage"] = {"coverage": _short(curve.coverage), "risk": _short(curve.risk)}
    return curves


def words_of(identifier: Identifier) -> Wording:
    """Return the wording for the model's labels."""
    return wording(label.species for label in identifier.bundle.config.classifier.labels)


def verdict_marks(
    identifier: Identifier, answers: Answers, scores: dict[str, Any]
) -> dict[str, tuple[float, float]]:
    """Return the points to mark on the coverage plot: share answered, and share of those that is right.

    One point is for breeds alone, one for breeds or at least groups.
    """
    metrics, label = scores["classifier"], words_of(identifier).label
    marks = {}
    if metrics["said_breed_right"] is not None:
        marks[f"a {label}, from {identifier.decision_rule.thresholds.breed:.2f} on"] = (
            metrics["said_breed"], metrics["said_breed_right"],
        )  # fmt: skip
    answered = metrics["said_breed"] + metrics["said_group"]
    if scores["groups"] and metrics["said_group_right"] is not None and answered:
        right = metrics["said_breed"] * (metrics["said_breed_right"] or 0)
        right += metrics["said_group"] * metrics["said_group_right"]
        marks[f"a {label} or at least its family"] = (answered, right / answered)
    return marks


def _shortened(value: Any) -> Any:
    """Apply `_short` to every list of numbers in a nested value."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return _short(np.array(value)) if isinstance(value, list) and value else value


def _short(values: np.ndarray, most: int = 400) -> list[float]:
    chosen = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))
    return [round(float(value), 5) for value in values[chosen]]
