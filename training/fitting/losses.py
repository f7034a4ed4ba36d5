"""Losses of the classifier."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


class WeightedCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy with logits and soft targets in which classes weigh differently.

    Unlike Keras' ``class_weight`` a mixed target weighs as the mixture of its classes.

    Args:
        weights: one a class, ``(classes,)``; mean 1 keeps the learning rate's meaning.
    """

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__(name="weighted_crossentropy")
        self.weights = np.asarray(weights, np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Targets and logits ``(batch, classes)`` → ``(batch,)``."""
        return -ops.sum(y_true * self.weights * ops.log_softmax(y_pred, axis=-1), axis=-1)


def balanced_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Weights inverse to how often each class occurs, ``(classes,)``; their mean over the pictures is 1."""
    counts = np.bincount(labels, minlength=classes)
    return np.asarray(len(labels) / (classes * np.maximum(counts, 1)), np.float32)
