"""Calibrate probabilities by temperature scaling, measure the calibration, and choose thresholds."""

from __future__ import annotations

import numpy as np

from smartbreed.inference.classifier import softmax


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Return the mean of −log p(true label) for logits ``(n, c)`` and labels ``(n,)``."""
    likelihood = softmax(logits / temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray, *, prior: float = 0.0) -> float:
    """Fit the temperature with the least negative log-likelihood, 0.2…5.

    See Guo et al. 2017, https://arxiv.org/abs/1706.04599.

    Args:
        logits: ``(n, c)``.
        labels: ``(n,)``.
        prior: strength of the pull towards 1, in pictures. Without it, a dozen pictures that are all correct
            would push the probabilities to certainty.
    """

    def loss(temperature: float) -> float:
        pull = prior * np.log(temperature) ** 2 / len(labels)
        return negative_log_likelihood(logits, labels, temperature) + float(pull)

    low, high = np.log(0.2), np.log(5.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(40):  # golden-section search: the loss has a single minimum in log T
        a, b = high - golden * (high - low), low + golden * (high - low)
        if loss(np.exp(a)) < loss(np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def fit_logistic(features: np.ndarray, right: np.ndarray, ridge: float = 1.0) -> tuple[np.ndarray, float]:
    """Fit binary logistic regression by Newton's method.

    Args:
        features: ``(n, d)``.
        right: bool ``(n,)``.
        ridge: weight of the squared coefficients; keeps them finite if the data is separable.

    Returns:
        Coefficients ``(d,)`` and bias.
    """
    inputs = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    penalty = np.diag([ridge] * features.shape[1] + [1e-6])
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (chance - right) + penalty @ weights
        curvature = inputs.T @ (inputs * (chance * (1 - chance))[:, None]) + penalty
        weights -= np.linalg.solve(curvature, gradient)
    return weights[:-1], float(weights[-1])


def reliability_bins(
    confidence: np.ndarray, right: np.ndarray, bins: int = 15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group answers by confidence, in bins of equal width over 0…1.

    Args:
        confidence: 0…1, ``(n,)``.
        right: True for correct answers, bool ``(n,)``.
        bins: number of bins.

    Returns:
        Number of answers, mean confidence and accuracy of each bin, ``(bins,)`` each; 0 for an empty bin.
    """
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    some = np.maximum(counts, 1)
    return counts, np.bincount(index, confidence, bins) / some, np.bincount(index, right, bins) / some


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins, weighted by share, 0…1."""
    counts, mean, accuracy = reliability_bins(confidence, right, bins)
    return float((np.abs(mean - accuracy) * counts).sum() / max(len(confidence), 1))


def adaptive_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Return the calibration error over bins with equal numbers of answers, 0…1.

    See Nguyen & O'Connor 2015, https://arxiv.org/abs/1508.05154. Equal-width bins put nearly all answers of a
    confident network into the last bin; equal-count bins resolve all ranges alike.
    """
    order = np.argsort(confidence, kind="stable")
    gaps = [
        len(part) * abs(confidence[part].mean() - right[part].mean())
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return float(sum(gaps) / max(len(confidence), 1))


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared distance of the probabilities from the truth, 0…2 (Brier 1950).

    Args:
        probabilities: ``(n, c)``, each row summing to 1.
        labels: ``(n,)``.
    """
    true = probabilities[np.arange(len(labels)), labels]
    return float(((probabilities**2).sum(1) - 2 * true + 1).mean())


def precision_threshold(confidence: np.ndarray, right: np.ndarray, precision: float) -> float:
    """Find the smallest confidence threshold with at least the given precision among answers that reach it.

    Args:
        confidence: 0…1, ``(n,)``.
        right: True for correct answers, bool ``(n,)``.
        precision: required share of correct answers, 0…1.

    Returns:
        The threshold; 1.0 if none reaches the precision.
    """
    order = np.argsort(-confidence, kind="stable")
    running = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(running >= precision)
    return float(confidence[order][enough[-1]]) if len(enough) else 1.0
