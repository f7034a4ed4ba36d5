"""Find the pets in a photo: SSD, then class-agnostic non-maximum suppression."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from smartbreed.core.errors import BundleError
from smartbreed.imaging.photo import Box
from smartbreed.inference.boxes import decode, non_maximum_suppression, ssd_anchors
from smartbreed.inference.bundle import Bundle, DetectorConfig
from smartbreed.inference.pixels import resample, to_input
from smartbreed.inference.runtime import NETWORK_THREADS, Network


@dataclass(frozen=True)
class Detection:
    """A detected pet: box in pixels of the photo, score 0…1."""

    box: tuple[float, float, float, float]
    score: float


class Detector:
    """The bundle's detector.

    Args:
        bundle: a bundle with a detector.
        threads: photos processed at once.
        network_threads: threads of the network for each of them.
    """

    def __init__(self, bundle: Bundle, threads: int, network_threads: int = NETWORK_THREADS) -> None:
        assert bundle.config.detector is not None
        self.config: DetectorConfig = bundle.config.detector
        self._network = Network(bundle.path(self.config.file), threads, network_threads)
        self._anchors = ssd_anchors()

    def check(self, picture: np.ndarray) -> None:
        """Run once on any uint8 ``(h, w, 3)`` and check the shapes of the outputs.

        Raises:
            BundleError: the network does not output a box, and a score for each species, at every anchor.
        """
        config, shapes = self.config, {}
        with contextlib.suppress(ValueError, RuntimeError):  # a network that fails has no outputs
            shapes = {name: value.shape for name, value in self._run(Image.fromarray(picture)).items()}
        anchors = len(self._anchors)
        if shapes != {"boxes": (1, anchors, 4), "scores": (1, anchors, len(config.species))}:
            raise BundleError(f"{config.file} of the model bundle is no detector of its size.")

    def _run(self, picture: Image.Image, part: Box | None = None) -> dict[str, np.ndarray]:
        config = self.config
        pixels = resample(picture, part or (0, 0, *picture.size), (config.input_size, config.input_size))
        return self._network(to_input(pixels, config.scale, config.offset))

    def detect(
        self, picture: Image.Image, score: float | None = None, part: Box | None = None
    ) -> list[Detection]:
        """Detect the pets in an RGB picture, best first.

        Args:
            picture: upright.
            score: smallest score, limited to 0.01…0.99; None: the bundle's calibrated threshold.
            part: region to look at, in pixels; None: the whole picture. Boxes are always in pixels of the
                whole picture.
        """
        config = self.config
        smallest = config.score if score is None else min(max(score, 0.01), 0.99)
        output = self._run(picture, part)
        # Compare logits: the sigmoid is only needed for the few that pass.
        logits = output["scores"][0].max(axis=1)
        likely = np.flatnonzero(logits >= np.log(smallest / (1 - smallest)))
        boxes = np.clip(decode(output["boxes"][0, likely], self._anchors[likely]), 0, 1)
        scores = 1 / (1 + np.exp(-logits[likely]))
        kept = non_maximum_suppression(boxes, scores, config.overlap, config.most)
        left, top, right, bottom = part or (0, 0, *picture.size)
        sides = np.array([right - left, bottom - top] * 2, np.float32)
        scaled = boxes * sides + np.array([left, top] * 2, np.float32)
        found = []
        for index in kept:
            x0, y0, x1, y1 = (float(v) for v in scaled[index])
            if x1 - x0 >= 2 and y1 - y0 >= 2:
                found.append(Detection((x0, y0, x1, y1), float(scores[index])))
        return found
