"""Accuracy, precision, recall and F1 for each label and averaged; ROC curves; risk against coverage.

Definitions and averages are those of scikit-learn's ``precision_recall_fscore_support``; a ratio without
anything to divide by counts 0. Labels that no picture has are left out of every average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve


@dataclass(frozen=True)
class LabelScores:
    """One number a label, each ``(c,)``: how many pictures have it, and how well it is named."""

    support: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    def average(self, values: np.ndarray, *, weighted: bool = False) -> float:
        """Mean over the labels that occur, of one number a label; ``weighted`` by how often they do."""
        weights = self.support if weighted else self.support > 0
        return float((values * weights).sum() / weights.sum())


def confusion_matrix(truth: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """int64 ``(classes, classes)``: row the true label, column the predicted one.

    Args:
        truth: ``(n,)``, 0…classes - 1.
        said: the predicted labels ``(n,)``, 0…classes - 1.
        classes: number of labels.
    """
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def label_scores(matrix: np.ndarray) -> LabelScores:
    """Precision, recall and F1 of each label from a confusion matrix."""
    right = np.diag(matrix).astype(float)
    precision, recall = _ratio(right, matrix.sum(0)), _ratio(right, matrix.sum(1))
    return LabelScores(matrix.sum(1), precision, recall, _ratio(2 * right, matrix.sum(0) + matrix.sum(1)))


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of pictures whose true label is among the ``k`` most likely.

    Ties go to the label with the lower number, as they do for the app.
    """
    true = probabilities[np.arange(len(labels)), labels][:, None]
    ahead = (probabilities > true).sum(1)
    ahead += ((probabilities == true) & (np.arange(probabilities.shape[1]) < labels[:, None])).sum(1)
    return float((ahead < k).mean())


def most_confused(matrix: np.ndarray, most: int) -> list[tuple[int, int, int]]:
    """Pairs of labels that are taken for each other, the most often confused first.

    Returns:
        ``(a, b, count)``: ``a`` taken for ``b`` or ``b`` for ``a``, ``count`` times in all; the
        direction that happens more often is from ``a`` to ``b``.
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
    """Probability that a positive has a higher score than a negative, ties counting half; nan without both.

    Args:
        scores: ``(n,)``.
        positive: ``(n,)`` bool.
    """
    return float("nan") if positive.all() or not positive.any() else float(roc_auc_score(positive, scores))


def one_vs_rest_auc(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each label against all others ``(c,)``; nan for labels no picture has."""
    return np.array([roc_auc(probabilities[:, c], labels == c) for c in range(probabilities.shape[1])])


def mean_roc(
    probabilities: np.ndarray, labels: np.ndarray, points: int = 201
) -> tuple[np.ndarray, np.ndarray]:
    """The one-vs-rest curves' mean over the labels that occur, at false positive rates spaced by log.

    Returns:
        False positive rates ``(points,)`` from 1e-4 to 1, and the mean true positive rates there.
    """
    at = np.logspace(-4, 0, points)
    curves = [roc_curve(labels == c, probabilities[:, c], drop_intermediate=False) for c in np.unique(labels)]
    return at, np.mean([np.interp(at, false, true) for false, true, _ in curves], axis=0)


@dataclass(frozen=True)
class RiskCoverage:
    """Answering only the surest: ``coverage (n,)`` rising to 1, ``risk (n,)`` the share of wrong answers."""

    coverage: np.ndarray
    risk: np.ndarray
    threshold: np.ndarray

    @property
    def area(self) -> float:
        """Mean risk over all coverages (AURC, Geifman et al. 2019, https://arxiv.org/abs/1805.08206)."""
        return float(self.risk.mean())


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> RiskCoverage:
    """Risk at every coverage, the surest answers first.

    Args:
        confidence: ``(n,)``, n at least 1.
        right: ``(n,)`` bool.
    """
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    return RiskCoverage(count / len(order), np.cumsum(~right[order]) / count, confidence[order])
