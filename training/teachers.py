"""Soft targets: what networks trained on all of ImageNet think a training crop is.

A hundred pictures a breed are quickly learnt by heart; the mean of two teachers
(.892 on the test crops where one alone has .863) still says which breeds look
alike (distillation, Hinton et al. 2015, https://arxiv.org/abs/1503.02531).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np


def edgetpu_probabilities(model: str | Path, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """A uint8 LiteRT ImageNet classifier (1001 classes, background first) limited to ``classes``.

    Args:
        model: the ``.tflite`` file.
        images: uint8 ``(count, 224, 224, 3)``.
        classes: ImageNet classes 0…999, ``(c,)``.

    Returns:
        float32 ``(count, c)``, each row summing to 1.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=2)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = np.empty((len(images), len(classes)), np.float32)
    for i, image in enumerate(images):
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        # +1: the background class; +0.5: a score of 0 only means "under 1/256".
        rows[i] = interpreter.get_tensor(target["index"])[0, classes + 1].astype(np.float32) + 0.5
    return rows / rows.sum(1, keepdims=True)


def restricted_softmax(
    embeddings: np.ndarray, kernel: np.ndarray, bias: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Softmax over ``classes`` alone of a linear head on ``embeddings (count, d)``."""
    logits = embeddings @ kernel[:, classes] + bias[classes]
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return exponents / exponents.sum(1, keepdims=True)


def soft_targets(
    labels: np.ndarray, teacher: np.ndarray, known: np.ndarray, *, weight: float, smoothing: float
) -> np.ndarray:
    """Mix the true label, a little uniform smoothing and the teachers' opinion.

    Args:
        labels: ``(count,)``.
        teacher: probabilities ``(count, classes)``.
        known: crops whose label some teacher knows, ``(count,)`` bool.
        weight: share of the teacher, 0…1, where it knows the true label.
        smoothing: share spread over all labels where it does not.

    Returns:
        ``(count, classes)``, rows summing to 1.
    """
    classes = teacher.shape[1]
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    targets = (1 - smoothing) * one_hot + smoothing / classes
    targets[known] = (1 - weight) * one_hot[known] + weight * teacher[known]
    return targets
