"""Pictures that show no breed we know, for the classifier to be unsure about.

Outlier exposure (Hendrycks et al. 2019, https://arxiv.org/abs/1812.04606): photographs without a pet (of
the default data: other animals, things and landscapes, but hardly a toy and no wolf or lion) are shown with a
flat target, so that what is no cat or dog gets no confident breed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Unnamed:
    """Crops of which no one label is right.

    Attributes:
        images: uint8 ``(n, size, size, 3)``.
        targets: float32 ``(n, labels)``: the same for all labels where none is right; ones and zeros where
            one of a set is (see `training.fitting.classifier.SetCrossentropy`).
    """

    images: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


def unnamed_of(images: Sequence[np.ndarray], species: np.ndarray, of_labels: np.ndarray) -> Unnamed:
    """Cats get all breeds of cats for a target, dogs those of dogs, anything else (-1) a flat one.

    Args:
        images: uint8 ``(size, size, 3)`` each.
        species: 0 cat, 1 dog, -1 neither, of each.
        of_labels: the species of each label, ``(labels,)``.
    """
    count = len(of_labels)
    sets = np.stack([of_labels == 0, of_labels == 1, np.full(count, 1 / count)]).astype(np.float32)
    return Unnamed(np.stack(images), sets[species])


def outlier_crops(images: list[np.ndarray], seed: int, *, cuts: int = 2, size: int = 224) -> np.ndarray:
    """Each picture as a whole and ``cuts`` random parts of it, squashed as pets are.

    Args:
        images: uint8 ``(height, width, 3)``, any sizes.
        seed: of the choice of parts.
        cuts: parts of each picture, 40 to 80% of its sides.
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
