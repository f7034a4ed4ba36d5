"""Name what is in a crop: class maps, logits, embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from smartbreed.inference.bundle import Bundle, ClassifierConfig
from smartbreed.inference.pixels import Box, resample, to_input
from smartbreed.inference.runtime import Network


@dataclass(frozen=True)
class Outputs:
    """Of one crop: ``logits (breeds,)``, ``class_maps (h, w, breeds)``, ``embedding (d,)``; all float32."""

    logits: np.ndarray
    class_maps: np.ndarray
    embedding: np.ndarray


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, safe for large logits."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


class Classifier:
    """The bundle's classifier.

    Args:
        bundle: the bundle.
        threads: crops worked on at once.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self.config: ClassifierConfig = bundle.config.classifier
        self._network = Network(bundle.path(self.config.file), threads)

    def classify(self, picture: Image.Image, box: Box) -> Outputs:
        """Run on ``box`` (pixels, inside ``picture``), squashed to the network's input."""
        side = self.config.input_size
        return self.run(resample(picture, box, (side, side)))

    def run(self, pixels: np.ndarray) -> Outputs:
        """Run on uint8 ``(size, size, 3)``."""
        output = self._network(to_input(pixels, self.config.scale, self.config.offset))
        return Outputs(output["logits"][0], output["class_maps"][0], output["embedding"][0])

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities ``(…, breeds)``."""
        return softmax(logits / self.config.temperature)
