"""Fit a head on a frozen backbone, and measure a network's accuracy on crops."""

from __future__ import annotations

import keras
import numpy as np

from training.data import Crops
from training.fitting.fit import TowardsStart
from training.models.embeddings import embed_logits


def accuracy(model: keras.Model, crops: Crops) -> dict[str, float]:
    """Return ``top1`` and ``val_loss`` (mean −log p) on ``crops``; also ``top5`` and ``cats`` if they apply.

    ``top5`` needs more than five labels; ``cats`` (top-1 on cats) needs a cat.
    """
    logits = embed_logits(model, crops.images)
    right = logits.argmax(1) == crops.labels
    top5 = (np.argsort(-logits, 1)[:, :5] == crops.labels[:, None]).any(1)
    shifted = logits - logits.max(1, keepdims=True)
    likelihood = shifted[np.arange(len(logits)), crops.labels] - np.log(np.exp(shifted).sum(1))
    figures = {"top1": float(right.mean()), "val_loss": float(-likelihood.mean())}
    if logits.shape[1] > 5:
        figures["top5"] = float(top5.mean())
    cats = crops.species == 0
    return figures | ({"cats": float(right[cats].mean())} if cats.any() else {})


def fit_head(
    model: keras.Model,
    embeddings: np.ndarray,
    targets: np.ndarray,
    start: tuple[np.ndarray, np.ndarray],
    epochs: int,
    *,
    pull: float,
    rate: float = 1e-3,
    least_steps: int = 0,
    class_weights: np.ndarray | None = None,
) -> None:
    """Fit the class-map layer on pooled features (pooling and a 1x1 convolution commute).

    Args:
        model: network whose class-map layer is set.
        embeddings: ``(count, d)``.
        targets: ``(count, labels)``, rows summing to 1.
        start: kernel ``(d, labels)`` and bias ``(labels,)``.
        epochs: passes over the embeddings.
        pull: weight of the squared distance from the start (L2-SP).
        rate: learning rate of Adam; a cosine lowers it to 0.
        least_steps: smallest number of steps; with few embeddings, epochs are added to reach it.
        class_weights: ``(labels,)``; None for equal weights.
    """
    dense = keras.layers.Dense(targets.shape[1])
    inputs = keras.Input((embeddings.shape[1],))
    head = TowardsStart(inputs, dense(inputs))
    dense.set_weights(list(start))
    head.anchor(dense.kernel, pull)
    steps_an_epoch = -(-len(embeddings) // 256)
    epochs = max(epochs, -(-least_steps // steps_an_epoch))
    head.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, epochs * steps_an_epoch)),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    weights = None if class_weights is None else targets @ class_weights
    head.fit(embeddings, targets, sample_weight=weights, batch_size=256, epochs=epochs, verbose=0)
    kernel, bias = dense.get_weights()
    model.get_layer("class_maps").set_weights([kernel[None, None], bias])
