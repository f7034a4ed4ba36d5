"""Outlier exposure: train the classifier to be unsure about pictures that show none of its breeds.

As in Hendrycks et al. 2019 (https://arxiv.org/abs/1812.04606), photographs without a pet get a uniform
target, so that they do not get a confident breed. In the default dataset they show other animals, things and
landscapes, but hardly any toys and no wolf or lion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Unnamed:
    """Crops without a single correct label.

    Attributes:
        images: uint8 ``(n, size, size, 3)``.
        targets: float32 ``(n, labels)``. Uniform if no label is right; ones and zeros if one of a set of
            labels is (see `training.fitting.classifier.SetCrossentropy`).
    """

    images: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


def unnamed_of(images: Sequence[np.ndarray], species: np.ndarray, of_labels: np.ndarray) -> Unnamed:
    """Build targets by species: all cat breeds for a cat, all dog breeds for a dog, uniform for the rest.

    Args:
        images: uint8 ``(size, size, 3)`` each.
        species: species of each picture: 0 cat, 1 dog, -1 neither.
        of_labels: species of each label, ``(labels,)``.
    """
    count = len(of_labels)
    sets = np.stack([of_labels == 0, of_labels == 1, np.full(count, 1 / count)]).astype(np.float32)
    return Unnamed(np.stack(images), sets[species])


def outlier_crops(images: list[np.ndarray], seed: int, *, cuts: int = 2, size: int = 224) -> np.ndarray:
    """Crop each picture as a whole and in ``cuts`` random parts, all squashed to squares like pet crops.

    Args:
        images: uint8 ``(height, width, 3)``, any sizes.
        seed: seed of the choice of parts.
        cuts: number of parts of each picture; their sides are 40 to 80% of its sides.
        size: side of the result in pixels.

    Returns:
        uint8 ``(len(images) * (1 + cuts), size, size, 3)``.
    """
    rng = np.random.default_rng(seed)
    result = np.empty((len(images) * (1 + cuts), size, size, 3), np.uint8)
    for number, image in enumerate(images):
        picture = Image.fromarray(image)
        for cut in range(1 + cuts):
            box = (0.0, 0.0, float(picture.width), float(picture.height))
            if cut:
                width, height = rng.uniform(0.4, 0.8, 2) * picture.size
                x, y = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
                box = (x, y, x + width, y + height)
            result[number * (1 + cuts) + cut] = np.asarray(
                picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
            )
    return result
