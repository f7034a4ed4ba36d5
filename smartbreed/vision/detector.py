"""Find the pets of a photo: SSD, then class-agnostic suppression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from smartbreed.vision.boxes import decode, non_maximum_suppression, ssd_anchors
from smartbreed.vision.bundle import Bundle, DetectorConfig
from smartbreed.vision.pixels import resample, to_input
from smartbreed.vision.runtime import Network


@dataclass(frozen=True)
class Detection:
    """A pet: box in pixels of the photo, score 0…1."""

    box: tuple[float, float, float, float]
    score: float


class Detector:
    """The bundle's detector.

    Args:
        bundle: a bundle that has one.
        threads: photos worked on at once.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        assert bundle.config.detector is not None
        self.config: DetectorConfig = bundle.config.detector
        self._network = Network(bundle.path(self.config.file), threads)
        self._anchors = ssd_anchors()

    def detect(self, picture: Image.Image, score: float | None = None) -> list[Detection]:
        """Pets of an RGB picture, best first.

        Args:
            picture: upright.
            score: smallest score, 0…1; default: the bundle's calibrated one.
        """
        config = self.config
        smallest = config.score if score is None else min(max(score, 0.01), 0.99)
        pixels = resample(picture, (0, 0, *picture.size), (config.input_size, config.input_size))
        output = self._network(to_input(pixels, config.scale, config.offset))
        # Compare logits: the sigmoid is only needed for the few that pass.
        logits = output["scores"][0].max(axis=1)
        likely = np.flatnonzero(logits >= np.log(smallest / (1 - smallest)))
        boxes = np.clip(decode(output["boxes"][0, likely], self._anchors[likely]), 0, 1)
        scores = 1 / (1 + np.exp(-logits[likely]))
        kept = non_maximum_suppression(boxes, scores, config.overlap, config.most)
        width, height = picture.size
        scaled = boxes * np.array([width, height, width, height], np.float32)
        found = []
        for index in kept:
            x0, y0, x1, y1 = (float(v) for v in scaled[index])
            if x1 - x0 >= 2 and y1 - y0 >= 2:
                found.append(Detection((x0, y0, x1, y1), float(scores[index])))
        return found
