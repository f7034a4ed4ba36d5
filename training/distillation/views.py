"""Fixed augmented views of the training crops, and what the teachers think of each.

A teacher that is asked about the plain crop while its student sees a cut, turned or darkened one answers
another question than the student is asked. Asked about the very view, its opinion stays right however long
the student trains ("a good teacher is patient and consistent", Beyer et al. 2022,
https://arxiv.org/abs/2106.05237). Each picture has a fixed number of views, so that every teacher is asked
once a view and not once an epoch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.augment.crops import CropAugmentation, view
from training.distillation.targets import Targets

#: Pictures augmented at a time: bounds the memory, 150 KB each.
CHUNK = 2048


def targets_of_views(
    targets: Targets,
    images: np.ndarray,
    labels: np.ndarray,
    views: int,
    augment: CropAugmentation | None,
    seed: int,
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> np.ndarray:
    """Soft targets of every view, float16 ``(views, count, classes)``.

    Args:
        targets: the recipe's, see `training.distillation.targets.targets_by`.
        images: uint8 ``(count, size, size, 3)``; labels ``(count,)``.
        views: views of each picture, at least 1.
        augment: the random change.
        seed: as `view` is given.
        progress: pictures done and of how many, after each chunk.
    """
    rows = []
    for which in range(views):
        parts = []
        for start in range(0, len(images), CHUNK):
            numbers = range(start, min(start + CHUNK, len(images)))
            seen = np.stack([view(images, n, which, augment, seed) for n in numbers])
            parts.append(targets(seen, labels[numbers.start : numbers.stop]).astype(np.float16))
            progress(which * len(images) + numbers.stop, views * len(images))
        rows.append(np.concatenate(parts))
    return np.stack(rows)
