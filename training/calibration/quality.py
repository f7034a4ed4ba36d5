"""Fit how much picture faults raise the temperature, and how to recognise crops that show no cat or dog."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from smartbreed.inference.picture_quality import Faults
from training.calibration.temperature import fit_logistic

#: Largest factor by which faults may raise the temperature.
MOST = 6.0


def fit_fault_weights(
    logits: np.ndarray, labels: np.ndarray, faults: Sequence[Faults], temperature: float
) -> dict[str, float]:
    """Fit the ``faults`` section of a classifier: the weights, 0…2, with the least negative log-likelihood.

    Args:
        logits: logits of pictures, many of them degraded, ``(n, c)``.
        labels: ``(n,)``.
        faults: faults of each picture.
        temperature: temperature of pictures without faults.
    """
    measured, rows = np.array(faults, np.float64), np.arange(len(labels))

    def loss(weights: np.ndarray) -> float:
        heat = np.minimum(np.exp(measured @ weights), MOST)
        scaled = logits / (temperature * heat)[:, None]
        scaled = scaled - scaled.max(1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(1)) - scaled[rows, labels]).mean())

    found = minimize(loss, np.full(measured.shape[1], 0.1), bounds=[(0, 2)] * measured.shape[1])
    weights = {name: round(float(value), 4) for name, value in zip(Faults._fields, found.x, strict=True)}
    return {**weights, "most": MOST}


def fit_other(
    pets: np.ndarray, others: np.ndarray, held: np.ndarray, *, ridge: float = 30.0, lost: float = 0.01
) -> dict[str, object]:
    """Fit the ``other`` section of a classifier, which recognises crops without a cat or dog.

    Args:
        pets: embeddings of cats and dogs, ``(n, d)``.
        others: embeddings of anything else, ``(m, d)``.
        held: held-back embeddings of cats and dogs, which set the threshold, ``(k, d)``.
        ridge: weight of the squared coefficients.
        lost: share of the held-back pets that may be taken for something else, 0…1; it sets the threshold,
            within 0.5…0.99.
    """
    features = np.concatenate([pets, others])
    is_other = np.arange(len(features)) >= len(pets)
    weights, bias = fit_logistic(features, is_other, ridge)
    score = 1 / (1 + np.exp(-(held @ weights + bias)))
    return {
        "weights": [round(float(value), 4) for value in weights],
        "bias": round(bias, 4),
        "threshold": round(float(np.clip(np.quantile(score, 1 - lost), 0.5, 0.99)), 4),
    }
