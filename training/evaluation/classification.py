"""Accuracy, precision, recall and F1 per label and averaged; ROC curves; risk against coverage.

Definitions and averages are those of scikit-learn's ``precision_recall_fscore_support``. A ratio with
denominator 0 counts as 0. Labels without any picture are left out of every average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve


@dataclass(frozen=True)
class LabelScores:
    """One number per label, each ``(c,)``: number of pictures (support), precision, recall and F1."""

    support: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    def average(self, values: np.ndarray, *, weighted: bool = False) -> float:
        """Return the mean of one number per label over labels that occur; ``weighted`` by their pictures."""
        weights = self.support if weighted else self.support > 0
        return float((values * weights).sum() / weights.sum())


def confusion_matrix(truth: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """Count predictions: int64 ``(classes, classes)``, row the true label, column the predicted one.

    Args:
        truth: true labels ``(n,)``, 0…classes - 1.
        said: predicted labels ``(n,)``, 0…classes - 1.
        classes: number of labels.
    """
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def label_scores(matrix: np.ndarray) -> LabelScores:
    """Return precision, recall and F1 of each label from a confusion matrix."""
    right = np.diag(matrix).astype(float)
    precision, recall = _ratio(right, matrix.sum(0)), _ratio(right, matrix.sum(1))
    return LabelScores(matrix.sum(1), precision, recall, _ratio(2 * right, matrix.sum(0) + matrix.sum(1)))


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the share of pictures whose true label is among the ``k`` most likely.

    Ties go to the label with the lower number, as in the app.
    """
    true = probabilities[np.arange(len(labels)), labels][:, None]
    ahead = (probabilities > true).sum(1)
    ahead += ((probabilities == true) & (np.arange(probabilities.shape[1]) < labels[:, None])).sum(1)
    return float((ahead < k).mean())


def most_confused(matrix: np.ndarray, most: int) -> list[tuple[int, int, int]]:
    """Return up to ``most`` pairs of labels that are taken for each other, most often confused first.

    Returns:
        ``(a, b, count)``: ``a`` taken for ``b`` or ``b`` for ``a``, ``count`` times in all. The more frequent
        direction is from ``a`` to ``b``.
    """
    both = np.triu(matrix + matrix.T, 1)
    order = np.argsort(-both, axis=None, kind="stable")[:most]
    pairs = [(int(a), int(b)) for a, b in zip(*np.unravel_index(order, both.shape), strict=True)]
    return [
        ((a, b) if matrix[a, b] >= matrix[b, a] else (b, a)) + (int(both[a, b]),)
        for a, b in pairs
        if both[a, b]
    ]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the area under the ROC curve; nan without positives or without negatives.

    It is the probability that a positive scores higher than a negative; ties count half.

    Args:
        scores: ``(n,)``.
        positive: ``(n,)`` bool.
    """
    return float("nan") if positive.all() or not positive.any() else float(roc_auc_score(positive, scores))


def one_vs_rest_auc(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the area under each label's one-vs-rest ROC curve ``(c,)``; nan for labels without pictures."""
    return np.array([roc_auc(probabilities[:, c], labels == c) for c in range(probabilities.shape[1])])


def mean_roc(
    probabilities: np.ndarray, labels: np.ndarray, points: int = 201
) -> tuple[np.ndarray, np.ndarray]:
    """Average the one-vs-rest ROC curves over the labels that occur, at log-spaced false positive rates.

    Returns:
        False positive rates ``(points,)`` from 1e-4 to 1, and the mean true positive rates there.
    """
    at = np.logspace(-4, 0, points)
    curves = [roc_curve(labels == c, probabilities[:, c], drop_intermediate=False) for c in np.unique(labels)]
    return at, np.mean([np.interp(at, false, true) for false, true, _ in curves], axis=0)


@dataclass(frozen=True)
class RiskCoverage:
    """Risk when only the most confident answers are given.

    Attributes:
        coverage: share of pictures answered, rising to 1, ``(n,)``.
        risk: share of wrong answers among them, ``(n,)``.
        threshold: confidence of the last picture answered, ``(n,)``.
    """

    coverage: np.ndarray
    risk: np.ndarray
    threshold: np.ndarray

    @property
    def area(self) -> float:
        """Mean risk over all coverages (AURC, Geifman et al. 2019, https://arxiv.org/abs/1805.08206)."""
        return float(self.risk.mean())


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> RiskCoverage:
    """Return the risk at every coverage, most confident answers first.

    Args:
        confidence: ``(n,)``, n at least 1.
        right: ``(n,)`` bool.
    """
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    return RiskCoverage(count / len(order), np.cumsum(~right[order]) / count, confidence[order])
