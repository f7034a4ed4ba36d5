"""MixUp (Zhang et al. 2018, https://arxiv.org/abs/1710.09412) and CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mixing:
    """How often the pictures of a batch are mixed with each other.

    Attributes:
        mixup: probability that a batch is blended, 0…1.
        mixup_alpha: both parameters of the Beta distribution of the blend.
        cutmix: probability that a batch gets rectangles of another, 0…1; ``mixup + cutmix <= 1``.
        cutmix_alpha: both parameters of the Beta distribution of the rectangle's area.
    """

    mixup: float = 0.0
    mixup_alpha: float = 0.4
    cutmix: float = 0.0
    cutmix_alpha: float = 1.0

    def __post_init__(self) -> None:
        if min(self.mixup, self.cutmix) < 0 or self.mixup + self.cutmix > 1:
            raise ValueError(
                "mixup and cutmix must be probabilities that add up to at most 1. "
                f"Received: mixup={self.mixup}, cutmix={self.cutmix}"
            )

    def __call__(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mix one batch.

        Args:
            images: float32 ``(batch, height, width, 3)``; not changed.
            targets: float32 ``(batch, classes)``, each row summing to 1.
            rng: source of every random choice.

        Returns:
            Images and targets of the same shapes.
        """
        draw, order = rng.random(), rng.permutation(len(images))
        if draw < self.mixup:
            share = np.float32(rng.beta(self.mixup_alpha, self.mixup_alpha))
            mixed = share * images + (1 - share) * images[order]
        elif draw < self.mixup + self.cutmix:
            mixed, share = self._cut(images, order, rng)
        else:
            return images, targets
        return mixed, (share * targets + (1 - share) * targets[order]).astype(targets.dtype)

    def _cut(
        self, images: np.ndarray, order: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.float32]:
        height, width = images.shape[1:3]
        side = np.sqrt(1 - rng.beta(self.cutmix_alpha, self.cutmix_alpha))
        y, x = rng.integers(height), rng.integers(width)
        y0, y1 = (int(np.clip(y + sign * side * height / 2, 0, height)) for sign in (-1, 1))
        x0, x1 = (int(np.clip(x + sign * side * width / 2, 0, width)) for sign in (-1, 1))
        mixed = images.copy()
        mixed[:, y0:y1, x0:x1] = images[order, y0:y1, x0:x1]
        return mixed, np.float32(1 - (y1 - y0) * (x1 - x0) / (height * width))
