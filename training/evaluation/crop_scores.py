"""Figures of the classifier on crops, and of the app's verdicts on them: a breed, a group or unknown."""

from __future__ import annotations

from typing import Any

import numpy as np

from smartbreed.inference.pipeline import Identifier
from training.calibration.temperature import (
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    reliability_bins,
)
from training.evaluation.answers import Answers
from training.evaluation.classification import (
    confusion_matrix,
    label_scores,
    most_confused,
    one_vs_rest_auc,
    risk_coverage,
    top_k,
)
from training.evaluation.intervals import bootstrap_interval, wilson_interval

#: Number of bins of the calibration errors.
BINS = 15
#: Number of label pairs listed as most confused.
PAIRS = 15


def classifier_metrics(identifier: Identifier, answers: Answers) -> dict[str, Any]:
    """Return accuracy, averages, calibration and verdicts, with 95% intervals of the main figures."""
    count, classes = len(answers), len(identifier.labels)
    probabilities, truth = answers.probabilities, answers.truth
    scores = label_scores(confusion_matrix(truth, answers.said, classes))
    aucs = one_vs_rest_auc(probabilities, truth)
    right, confidence = answers.right, answers.confidence
    top1, top5 = float(right.mean()), top_k(probabilities, truth, 5)
    metrics: dict[str, Any] = {
        "pictures": count,
        "labels": classes,
        "top1": top1,
        "top1_interval": wilson_interval(top1, count),
        "top3": top_k(probabilities, truth, 3),
        "top5": top5,
        "top5_interval": wilson_interval(top5, count),
        **_by_species(identifier, answers),
        **{
            f"{kind}_{name}": scores.average(values, weighted=kind == "weighted")
            for kind in ("macro", "weighted")
            for name, values in (
                ("precision", scores.precision),
                ("recall", scores.recall),
                ("f1", scores.f1),
            )
        },
        "macro_f1_interval": bootstrap_interval(lambda some: _macro_f1(answers, some, classes), count),
        "macro_auc": float(np.nanmean(aucs)) if np.isfinite(aucs).any() else None,
        "ece": expected_calibration_error(confidence, right, BINS),
        "ece_interval": bootstrap_interval(
            lambda some: expected_calibration_error(confidence[some], right[some], BINS), count
        ),
        "adaptive_ece": adaptive_calibration_error(confidence, right, BINS),
        "brier": brier_score(probabilities, truth),
        "nll": float(-np.log(np.maximum(probabilities[np.arange(count), truth], 1e-12)).mean()),
        "risk_coverage_area": risk_coverage(confidence, right).area,
        **verdict_metrics(identifier, answers),
    }
    metrics["per_breed"] = {
        name: float(scores.recall[label])
        for label, name in enumerate(identifier.labels)
        if scores.support[label]
    }
    return metrics


def per_label(identifier: Identifier, answers: Answers) -> dict[str, dict[str, Any]]:
    """Return ``pictures, precision, recall, f1, auc`` of each label that occurs, by label id."""
    scores = label_scores(confusion_matrix(answers.truth, answers.said, len(identifier.labels)))
    aucs = one_vs_rest_auc(answers.probabilities, answers.truth)
    return {
        name: {
            "pictures": int(scores.support[label]),
            "precision": float(scores.precision[label]),
            "recall": float(scores.recall[label]),
            "f1": float(scores.f1[label]),
            "auc": None if np.isnan(aucs[label]) else float(aucs[label]),
        }
        for label, name in enumerate(identifier.labels)
        if scores.support[label]
    }


def label_evaluation(
    identifier: Identifier, answers: Answers, scores: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return ``labels``, ``confusion`` and ``reliability`` of `smartbreed.inference.evaluation.Evaluation`.

    Args:
        identifier: the model.
        answers: answers on crops that nothing was trained or chosen on.
        scores: from `per_label`.
    """
    labels = identifier.labels
    matrix = confusion_matrix(answers.truth, answers.said, len(labels))
    unsure = answers.other | (answers.confidence < identifier.decision_rule.thresholds.breed)
    counts, mean, right = reliability_bins(answers.confidence, answers.right, BINS)
    return {
        "labels": {
            name: {
                **row,
                "abstained": unsure[answers.truth == labels.index(name)].mean(),
                "confidence": answers.confidence[answers.truth == labels.index(name)].mean(),
            }
            for name, row in scores.items()
        },
        "confusion": {
            labels[true]: {labels[said]: matrix[true, said] for said in np.flatnonzero(matrix[true])}
            for true in np.flatnonzero(matrix.sum(1))
        },
        "reliability": [
            {"least": n / BINS, "most": (n + 1) / BINS, "pictures": counts[n], "confidence": mean[n],
             "right": right[n]}
            for n in np.flatnonzero(counts)
        ],
    }  # fmt: skip


def confused_pairs(identifier: Identifier, answers: Answers, most: int = PAIRS) -> list[dict[str, Any]]:
    """Return the pairs of labels most often taken for each other.

    ``a`` was taken for ``b`` in ``a_for_b`` of ``a_pictures``, and ``b`` for ``a`` in ``b_for_a`` of
    ``b_pictures``.
    """
    matrix = confusion_matrix(answers.truth, answers.said, len(identifier.labels))
    return [
        {
            "a": identifier.labels[a],
            "b": identifier.labels[b],
            "a_for_b": int(matrix[a, b]),
            "a_pictures": int(matrix[a].sum()),
            "b_for_a": int(matrix[b, a]),
            "b_pictures": int(matrix[b].sum()),
        }
        for a, b, _ in most_confused(matrix, most)
    ]


def _by_species(identifier: Identifier, answers: Answers) -> dict[str, Any]:
    """Return ``top1_cats``, ``top1_dogs`` and so on; empty with fewer than two species."""
    species = np.array([label.species for label in identifier.bundle.config.classifier.labels])[answers.truth]
    found: dict[str, Any] = {}
    names = sorted({name for name in species if name})
    for name in names if len(names) > 1 else []:
        inside = answers.right[species == name]
        found[f"top1_{name}s"] = float(inside.mean())
        found[f"top1_{name}s_interval"] = wilson_interval(float(inside.mean()), len(inside))
        found[f"{name}s"] = len(inside)
    return found


def _macro_f1(answers: Answers, some: np.ndarray, classes: int) -> float:
    scores = label_scores(confusion_matrix(answers.truth[some], answers.said[some], classes))
    return scores.average(scores.f1)


#: Thresholds listed in the threshold table.
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def group_numbers(identifier: Identifier) -> np.ndarray:
    """Return the index of each label's group in ``decision_rule.groups``, ``(c,)``.

    A label without a group is a group of its own.
    """
    labels = identifier.bundle.config.classifier.labels
    return np.array([identifier.decision_rule.groups.index(label.group or label.id) for label in labels])


def verdict_metrics(identifier: Identifier, answers: Answers) -> dict[str, Any]:
    """Return the share of each verdict and the share of correct ones among them; None without any."""
    groups = group_numbers(identifier)
    species = [label.species for label in identifier.bundle.config.classifier.labels]
    decided = [identifier.decision_rule.decide(row, 1) for row in answers.probabilities]
    verdicts = np.where(answers.other, "unknown", [verdict for _, verdict, _, _ in decided])
    group_right = np.array(
        [
            identifier.decision_rule.groups[groups[t]] == group.id
            for t, (*_, group) in zip(answers.truth, decided, strict=True)
        ]
    )
    breed, group = verdicts == "breed", verdicts == "group"
    metrics = {
        "said_breed": float(breed.mean()),
        "said_breed_right": share(answers.right[breed]),
        "said_group": float(group.mean()),
        "said_group_right": share(group_right[group]),
        "said_unknown": float((verdicts == "unknown").mean()),
        "group": float(group_right.mean()),
    }
    if len(set(species)) > 1:
        metrics["species"] = float(
            np.mean([said == species[t] for t, (said, *_) in zip(answers.truth, decided, strict=True)])
        )
    return metrics


def threshold_table(answers: Answers, chosen: float) -> list[dict[str, Any]]:
    """Return the effect of other breed thresholds: the share answered and the share of those that is right.

    Args:
        answers: answers on the test pictures.
        chosen: the bundle's threshold; its row is marked ``chosen``.
    """
    rows = []
    for threshold in sorted({*THRESHOLDS, chosen}):
        answered = answers.confidence >= threshold
        rows.append(
            {
                "threshold": threshold,
                "answered": float(answered.mean()),
                "right": share(answers.right[answered]),
                "chosen": threshold == chosen,
            }
        )
    return rows


def group_scores(identifier: Identifier, answers: Answers) -> list[dict[str, Any]]:
    """Return one row per group of several labels: pictures, top-1, and share with the right group."""
    groups = group_numbers(identifier)
    member = np.eye(len(identifier.decision_rule.groups))[groups]
    said = (answers.probabilities @ member).argmax(1)
    rows = []
    for number, group in enumerate(identifier.decision_rule.groups):
        inside = groups[answers.truth] == number
        if inside.any() and (groups == number).sum() > 1:
            rows.append(
                {
                    "group": group,
                    "labels": int((groups == number).sum()),
                    "pictures": int(inside.sum()),
                    "top1": float(answers.right[inside].mean()),
                    "group_right": float((said[inside] == number).mean()),
                }
            )
    return rows


def share(right: np.ndarray) -> float | None:
    """Return the mean of a bool array; None if it is empty."""
    return float(right.mean()) if len(right) else None
