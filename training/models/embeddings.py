"""Compute embeddings and logits of pictures with a Keras network."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from training.augment.crops import CropAugmentation


def scale(images: np.ndarray) -> np.ndarray:
    """Scale uint8 0…255 to float32 -1…1, the preprocessing of all networks here."""
    return images.astype(np.float32) / 127.5 - 1.0


def embed(
    model: keras.Model,
    images: np.ndarray,
    augment: CropAugmentation | None = None,
    seed: int = 0,
    advance: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """Return embeddings ``(count, d)`` of uint8 ``images``, optionally of one augmented view of each.

    ``advance`` is called after each batch with the number of pictures in it.
    """
    features = keras.Model(model.input, model.output["embedding"])
    rng = np.random.default_rng(seed)
    rows = []
    for start in range(0, len(images), 64):
        batch = images[start : start + 64]
        if augment:
            batch = np.stack([augment(image, rng) for image in batch])
        rows.append(np.asarray(features.predict_on_batch(scale(batch))))
        advance(len(batch))
    return np.concatenate(rows)


def embed_logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return logits ``(count, labels)`` of uint8 ``images``."""
    outputs = keras.Model(model.input, model.output["logits"])
    batches = [outputs.predict_on_batch(scale(images[i : i + 64])) for i in range(0, len(images), 64)]
    return np.concatenate([np.asarray(batch) for batch in batches])
