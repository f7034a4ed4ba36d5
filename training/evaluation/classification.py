"""Accuracy, precision, recall and F1, for each label and averaged. Plain numpy.

Definitions and averages are those of scikit-learn's ``precision_recall_fscore_support``; a ratio without
anything to divide by counts 0. Labels that no picture has are left out of every average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
    """int64 ``(classes, classes)``: row the true label, column the one that was said.

    Args:
        truth: ``(n,)``, 0…classes - 1.
        said: likewise.
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
