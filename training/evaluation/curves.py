"""ROC curves and their area, and risk against coverage. Plain numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive has a higher score than a negative, ties counting half; nan without both.

    The Mann-Whitney form of the area under the ROC curve (Fawcett 2006,
    https://doi.org/10.1016/j.patrec.2005.10.010).

    Args:
        scores: ``(n,)``.
        positive: ``(n,)`` bool.
    """
    count = int(positive.sum())
    if not count or count == len(positive):
        return float("nan")
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(times)
    ranks = (last - (times - 1) / 2)[place]  # 1-based, tied scores share their mean rank
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def roc_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(false positive rate, true positive rate) at every distinct score, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    true = np.cumsum(positive[order])[ends] / max(int(positive.sum()), 1)
    false = np.cumsum(~positive[order])[ends] / max(int((~positive).sum()), 1)
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], true])


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
    curves = [roc_curve(probabilities[:, c], labels == c) for c in np.unique(labels)]
    return at, np.mean([np.interp(at, false, true) for false, true in curves], axis=0)


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
