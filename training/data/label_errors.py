"""Find likely label errors by out-of-fold confidence.

As in confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068), multinomial logistic
regression on frozen embeddings is fitted on four folds and predicts the fifth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartbreed.inference.classifier import softmax

FOLDS = 5


@dataclass(frozen=True)
class Suspect:
    """A picture whose label may be wrong.

    Attributes:
        index: index of the picture.
        label: number of its given label.
        thinks: number of the label that the classifier predicts.
        confidence: predicted probability of the given label, 0…1.
        instead: predicted probability of the label ``thinks``, 0…1.
    """

    index: int
    label: int
    thinks: int
    confidence: float
    instead: float


def fit_logistic(embeddings: np.ndarray, labels: np.ndarray, classes: int, ridge: float = 1.0) -> np.ndarray:
    """Fit multinomial logistic regression; returns weights ``(d + 1, classes)``, the bias in the last row."""
    from scipy.optimize import minimize

    inputs = np.concatenate([embeddings, np.ones((len(embeddings), 1), embeddings.dtype)], axis=1)
    truth = np.eye(classes, dtype=inputs.dtype)[labels]
    penalty = np.full((inputs.shape[1], 1), ridge / len(inputs), inputs.dtype)
    penalty[-1] = 0

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(inputs.shape[1], classes).astype(inputs.dtype)
        chance = softmax(inputs @ weights)
        value = -np.log(np.maximum((chance * truth).sum(1), 1e-12)).mean() + (penalty * weights**2).sum() / 2
        gradient = inputs.T @ (chance - truth) / len(inputs) + penalty * weights
        return float(value), gradient.astype(np.float64).reshape(-1)

    start = np.zeros(inputs.shape[1] * classes)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60}).x).reshape(
        inputs.shape[1], classes
    )


def out_of_fold(embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """Predict the probabilities ``(count, classes)`` of each picture with a classifier not fitted on it.

    Args:
        embeddings: ``(count, d)``.
        labels: ``(count,)``.
        groups: group number of each picture, ``(count,)``; near-duplicates share one and stay in one fold.
        classes: number of labels.
    """
    deviation = embeddings.std(0)
    scaled = ((embeddings - embeddings.mean(0)) / np.where(deviation > 1e-6, deviation, 1)).astype(np.float32)
    names = np.unique(groups)
    fold_of = dict(zip(names.tolist(), np.random.default_rng(0).permutation(len(names)) % FOLDS, strict=True))
    folds = np.array([fold_of[int(group)] for group in groups])
    chance = np.full((len(labels), classes), 1 / classes, np.float32)
    for fold in range(FOLDS):
        inside = folds == fold
        if inside.any() and (~inside).any():
            weights = fit_logistic(scaled[~inside], labels[~inside], classes)
            chance[inside] = softmax(scaled[inside] @ weights[:-1] + weights[-1])
    return chance


def suspects(chance: np.ndarray, labels: np.ndarray, most: int = 60) -> list[Suspect]:
    """Return at most ``most`` pictures that clearly look like another label, the worst first.

    The predicted label must have a probability above 0.5 and the given one below 0.2.
    """
    thinks = chance.argmax(1)
    own = chance[np.arange(len(labels)), labels]
    instead = chance.max(1)
    order = np.argsort(own - instead, kind="stable")
    return [
        Suspect(int(i), int(labels[i]), int(thinks[i]), float(own[i]), float(instead[i]))
        for i in order[:most]
        if thinks[i] != labels[i] and instead[i] > 0.5 and own[i] < 0.2
    ]
