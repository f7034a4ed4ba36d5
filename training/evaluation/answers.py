"""Run a bundle's served classifier on crops and collect its answers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from smartbreed.inference.classifier import Outputs
from smartbreed.inference.pipeline import Identifier
from training.common.errors import DataError
from training.data import Crops


@dataclass(frozen=True)
class Answers:
    """Answers of a model with ``c`` labels to ``n`` crops.

    Attributes:
        logits: float32 ``(n, c)``.
        probabilities: calibrated, ``(n, c)``.
        truth: number of the true label in the model's order, ``(n,)``.
        other: whether the crop is taken for another animal, so that no breed is named, ``(n,)`` bool.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray
    other: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def said(self) -> np.ndarray:
        """The most likely label of each crop, ``(n,)``."""
        return np.asarray(self.probabilities.argmax(1))

    @property
    def right(self) -> np.ndarray:
        """Whether the most likely label is the true one, ``(n,)`` bool."""
        return np.asarray(self.said == self.truth)

    @property
    def confidence(self) -> np.ndarray:
        """The calibrated probability of the most likely label, ``(n,)``."""
        return np.asarray(self.probabilities.max(1))


def ask(identifier: Identifier, crops: Crops) -> Answers:
    """Run every crop through the served classifier, on all cores.

    Raises:
        DataError: there are no crops, or the model does not know one of their labels.
    """
    truth = true_labels(identifier, crops)
    return answers_of(identifier, run(identifier, crops.images), truth)


def answers_of(identifier: Identifier, seen: list[Outputs], truth: np.ndarray) -> Answers:
    """Turn the classifier's outputs into answers, as the app does."""
    classifier = identifier.classifier
    return Answers(
        np.stack([outputs.logits for outputs in seen]),
        np.stack([classifier.probabilities(outputs.logits, outputs.faults) for outputs in seen]),
        truth,
        np.array([classifier.is_other(outputs.embedding) for outputs in seen]),
    )


def true_labels(identifier: Identifier, crops: Crops) -> np.ndarray:
    """Return the crops' labels as label numbers of the model, int64 ``(n,)``.

    Raises:
        DataError: there are no crops, or the model does not know one of their labels.
    """
    if not len(crops):
        raise DataError("There must be test pictures to evaluate on. Received: 0 pictures")
    numbers = {label: number for number, label in enumerate(identifier.labels)}
    shown = [crops.names[label] for label in np.unique(crops.labels)]
    for name in shown:
        if name not in numbers:
            raise DataError(f"The test pictures show a label this model does not know. Received: {name}")
    return np.array([numbers[crops.names[label]] for label in crops.labels], np.int64)


def run(
    identifier: Identifier, images: np.ndarray, advance: Callable[[int], None] = lambda count: None
) -> list[Outputs]:
    """Return the classifier's outputs for uint8 crops ``(n, h, w, 3)``, resized to its input size.

    ``advance`` is called after each picture with the number of pictures done since the last call.
    """
    side = identifier.classifier.config.input_size

    def one(image: np.ndarray) -> Outputs:
        if image.shape[:2] != (side, side):
            image = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
        return identifier.classifier.run_measured(image)

    with ThreadPoolExecutor(identifier.threads) as pool:
        found = []
        for outputs in pool.map(one, images):
            found.append(outputs)
            advance(1)
        return found
