"""Run the classifier on a crop: class maps, logits, embedding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from smartbreed.imaging.photo import Box
from smartbreed.inference.bundle import Bundle, ClassifierConfig, PictureFaults
from smartbreed.inference.picture_quality import NO_FAULTS, Faults, faults_of
from smartbreed.inference.pixels import resample, to_input
from smartbreed.inference.runtime import NETWORK_THREADS, Network


@dataclass(frozen=True)
class Outputs:
    """Float32 outputs of a crop: ``logits (breeds,)``, ``class_maps (h, w, breeds)``, ``embedding (d,)``.

    ``faults`` are the quality faults of the crop; all 0 where they are not measured.
    """

    logits: np.ndarray
    class_maps: np.ndarray
    embedding: np.ndarray
    faults: Faults = NO_FAULTS


def softmax(logits: np.ndarray) -> np.ndarray:
    """Compute the softmax over the last axis, safe for large logits."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


class Classifier:
    """The bundle's classifier.

    Args:
        bundle: the bundle.
        threads: crops processed at once.
        network_threads: threads of the network for each of them.
    """

    def __init__(self, bundle: Bundle, threads: int, network_threads: int = NETWORK_THREADS) -> None:
        self.config: ClassifierConfig = bundle.config.classifier
        self._network = Network(bundle.path(self.config.file), threads, network_threads)
        self._measures_faults = self.config.faults != PictureFaults()
        other = self.config.other
        self._other_weights = None if other is None else np.asarray(other.weights, np.float32)

    def classify(self, picture: Image.Image, box: Box) -> Outputs:
        """Run on ``box`` (pixels, inside ``picture``), squashed to the network's input."""
        side = self.config.input_size
        return self.run_measured(resample(picture, box, (side, side)))

    def run_measured(self, pixels: np.ndarray) -> Outputs:
        """Run on uint8 ``(size, size, 3)`` and measure its faults, if the bundle uses them."""
        outputs = self.run(pixels)
        if not self._measures_faults:  # the bundle does not use them, so save the time
            return outputs
        return replace(outputs, faults=faults_of(pixels))

    def run(self, pixels: np.ndarray) -> Outputs:
        """Run on uint8 ``(size, size, 3)``."""
        output = self._network(to_input(pixels, self.config.scale, self.config.offset))
        return Outputs(output["logits"][0], output["class_maps"][0], output["embedding"][0])

    def probabilities(self, logits: np.ndarray, faults: Faults = NO_FAULTS) -> np.ndarray:
        """Return calibrated probabilities ``(…, breeds)`` for crops with these faults."""
        return softmax(logits / (self.config.temperature * heat_of(self.config.faults, faults)))

    def is_other(self, embedding: np.ndarray) -> bool:
        """Return whether the crop shows neither cat nor dog; False if the bundle cannot tell."""
        other = self.config.other
        if other is None or self._other_weights is None:
            return False
        return float(1 / (1 + np.exp(-(embedding @ self._other_weights + other.bias)))) >= other.threshold


def heat_of(weights: PictureFaults, faults: Faults) -> float:
    """Return the factor, at least 1, by which the faults multiply the temperature."""
    return float(min(np.exp(sum(weights.weigh(faults).values())), weights.most))
