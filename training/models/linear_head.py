"""Fit some rows of a classifier's head and keep the others fixed.

Pooling and a 1x1 convolution commute, so the class-map layer is a linear layer on the pooled embedding. Fixed
rows enter the loss as one number per picture (the log-sum-exp of their logits), so fitting a few of a hundred
rows takes a fraction of a second and cannot change the score of any other breed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartbreed.core.lbfgs import minimise
from smartbreed.inference.classifier import softmax
from smartbreed.inference.head import Head


@dataclass(frozen=True)
class Examples:
    """Training examples for a head.

    Attributes:
        embeddings: float32 ``(n, d)``.
        labels: int64 ``(n,)``.
        weights: weight of each example, at least 0, float32 ``(n,)``.
        keep: share of the old head's own prediction in the target, the rest being the label; 0…1, float32
            ``(n,)`` (distillation, Hinton et al. 2015, https://arxiv.org/abs/1503.02531).
    """

    embeddings: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    keep: np.ndarray

    @classmethod
    def of(
        cls, embeddings: np.ndarray, labels: np.ndarray, *, weight: float = 1.0, keep: float = 0.0
    ) -> Examples:
        """Create examples that share one ``weight`` and one ``keep``."""
        count = len(labels)
        return cls(
            embeddings.astype(np.float32),
            np.asarray(labels, np.int64),
            np.full(count, weight, np.float32),
            np.full(count, keep, np.float32),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Examples:
        return Examples(self.embeddings[index], self.labels[index], self.weights[index], self.keep[index])

    def and_(self, other: Examples) -> Examples:
        """Concatenate with other examples."""
        return Examples(
            np.concatenate([self.embeddings, other.embeddings]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.keep, other.keep]),
        )


def fit_rows(head: Head, rows: np.ndarray, examples: Examples, *, pull: float, iterations: int = 40) -> Head:
    """Fit ``rows`` by cross-entropy, regularised towards their current values; the other rows stay fixed.

    Args:
        head: initial head, which is also what the rows are pulled towards (L2-SP, Li et al. 2018,
            https://arxiv.org/abs/1802.01483).
        rows: labels whose rows are fitted.
        examples: training examples; they may have any label of the head.
        pull: weight of the squared distance from the start, relative to the mean loss per example, for
            embeddings of norm 1. It is multiplied by the mean squared norm of the given embeddings (382 for
            MobileNetV2, 120 for EfficientNet-Lite2), so that it allows the same change of logits with
            every backbone.
        iterations: most steps of the optimiser.
    """
    if not len(rows) or not len(examples):
        return head
    d, k = head.kernel.shape[0], len(rows)
    inputs = examples.embeddings
    old = head.logits(inputs)
    shares = (examples.weights / examples.weights.sum())[:, None]
    opinions = softmax(old) * examples.keep[:, None]
    opinions[np.arange(len(examples)), examples.labels] += 1 - examples.keep
    targets = opinions[:, rows]
    others = np.delete(old, rows, axis=1)
    fixed = _log_sum_exp(others) if others.shape[1] else np.full(len(examples), -np.inf, np.float32)
    kernel0, bias0 = head.kernel[:, rows], head.bias[rows]
    pull *= float((inputs**2).sum(1).mean())

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = x[: d * k].reshape(d, k), x[d * k :]
        logits = inputs @ kernel + bias
        total = np.logaddexp(fixed, _log_sum_exp(logits))
        loss = float((shares[:, 0] * total).sum() - (shares * targets * logits).sum())
        by_logit = shares * (np.exp(logits - total[:, None]) - targets)
        moved, shifted = kernel - kernel0, bias - bias0
        loss += pull * (float((moved**2).sum()) + float((shifted**2).sum()))
        return loss, np.concatenate(
            [(inputs.T @ by_logit + 2 * pull * moved).ravel(), by_logit.sum(0) + 2 * pull * shifted]
        ).astype(np.float32)

    found = minimise(objective, np.concatenate([kernel0.ravel(), bias0]), iterations=iterations)
    return head.replaced(rows, found[: d * k].reshape(d, k), found[d * k :])


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    largest = logits.max(axis=1)
    return np.asarray(largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1)))
