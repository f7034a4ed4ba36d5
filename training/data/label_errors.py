"""Labels that a classifier fitted on the other pictures finds hard to believe.

Out-of-fold confidence, as in confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068):
multinomial logistic regression on frozen embeddings, fitted on four fifths, asked about the fifth.
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
        index: of the picture.
        label: number of the label it has.
        thinks: number of the label the classifier gives it.
        confidence: probability of its own label, 0…1.
        instead: probability of the other, 0…1.
    """

    index: int
    label: int
    thinks: int
    confidence: float
    instead: float


def fit_logistic(embeddings: np.ndarray, labels: np.ndarray, classes: int, ridge: float = 1.0) -> np.ndarray:
    """Weights ``(d + 1, classes)`` of multinomial logistic regression, the bias last."""
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
    """Probabilities ``(count, classes)`` of each picture by a classifier that never saw it.

    Args:
        embeddings: ``(count, d)``.
        labels: ``(count,)``.
        groups: near-duplicates share one and stay in one fold, ``(count,)``.
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
    """The pictures surest to be something else, worst first."""
    thinks = chance.argmax(1)
    own = chance[np.arange(len(labels)), labels]
    instead = chance.max(1)
    order = np.argsort(own - instead, kind="stable")
    return [
        Suspect(int(i), int(labels[i]), int(thinks[i]), float(own[i]), float(instead[i]))
        for i in order[:most]
        if thinks[i] != labels[i] and instead[i] > 0.5 and own[i] < 0.2
    ]
