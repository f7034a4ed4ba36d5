"""Augment crops: jitter the box, flip, rotate, change the colours and lower the resolution.

Stanford's dogs are cut exactly to a hand-drawn box. At run time the box comes from a detector and is never
that exact, so the box itself varies most. Whole batches are mixed by MixUp (Zhang et al. 2018,
https://arxiv.org/abs/1710.09412) and CutMix (Yun et al. 2019, https://arxiv.org/abs/1905.04899).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from training.augment.degradations import degrade


@dataclass(frozen=True)
class CropAugmentation:
    """A random augmentation of crops, with the range of every change.

    Attributes:
        shrink, grow: smallest and largest side of the new box, as a share of the old one.
        shift: largest move of its centre, as a share of the old side; a shrunk box may also move anywhere
            within the old one.
        aspect: largest change of the aspect ratio (its natural logarithm).
        rotation: largest rotation to either side, in degrees.
        colour: largest change of brightness, contrast and saturation, as a share.
        blur: probability of downscaling the picture and scaling it up again.
        degrade: probability of applying one of `training.augment.degradations`.
    """

    shrink: float = 0.72
    grow: float = 1.18
    shift: float = 0.08
    aspect: float = 0.15
    rotation: float = 8.0
    colour: float = 0.25
    blur: float = 0.15
    degrade: float = 0.0

    def __call__(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment one uint8 ``(size, size, 3)`` picture; the result has the same shape."""
        size = pixels.shape[0]
        pad = size // 4
        # Reflection fills the area that an enlarged or rotated box covers beyond the picture.
        padded = Image.fromarray(np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="reflect"))
        side = rng.uniform(self.shrink, self.grow)
        stretch = np.exp(rng.uniform(-self.aspect, self.aspect) / 2)
        width, height = side * stretch, side / stretch
        slack_x = self.shift + max(0.0, (1 - width) / 2)
        slack_y = self.shift + max(0.0, (1 - height) / 2)
        centre_x = size * (0.5 + rng.uniform(-slack_x, slack_x)) + pad
        centre_y = size * (0.5 + rng.uniform(-slack_y, slack_y)) + pad
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        a, b = width * np.cos(angle) * mirror, -height * np.sin(angle)
        d, e = width * np.sin(angle) * mirror, height * np.cos(angle)
        half = size / 2
        matrix = (a, b, centre_x - (a + b) * half, d, e, centre_y - (d + e) * half)
        picture = padded.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = enhancer(picture).enhance(1 + rng.uniform(-self.colour, self.colour))
        if rng.random() < self.blur:
            small = int(size * rng.uniform(0.35, 0.8))
            picture = picture.resize((small, small), Image.Resampling.BILINEAR).resize(
                (size, size), Image.Resampling.BILINEAR
            )
        # Only draw if enabled, so that recipes without degradation keep their sequence of random numbers.
        if self.degrade and rng.random() < self.degrade:
            picture = degrade(picture, rng)
        return np.asarray(picture)


#: Milder than for training a backbone: it differs from hand-drawn boxes about as much as the detector does.
MILD = CropAugmentation(shrink=0.82, grow=1.12, shift=0.05, aspect=0.1, rotation=5.0, colour=0.15, blur=0.08)


def view(
    images: np.ndarray, number: int, which: int, augment: CropAugmentation | None, seed: int
) -> np.ndarray:
    """Return augmented view ``which`` of picture ``number``; deterministic for a given seed."""
    picture = images[number]
    return augment(picture, np.random.default_rng((seed, number, which))) if augment else picture


@dataclass(frozen=True)
class Mixing:
    """MixUp and CutMix between the pictures of a batch.

    Attributes:
        mixup: probability that a batch is blended, 0…1.
        mixup_alpha: both parameters of the Beta distribution of the blend.
        cutmix: probability that the pictures of a batch get a rectangle from each other, 0…1;
            ``mixup + cutmix <= 1``.
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
            images: float32 ``(batch, height, width, 3)``; not modified.
            targets: float32 ``(batch, classes)``. Each row sums to 1, or is a set of labels as ones and
                zeros; pictures with a set are not mixed.
            rng: source of all random choices.

        Returns:
            Images and targets of the same shapes.
        """
        draw, order = rng.random(), rng.permutation(len(images))
        # A target that names a set of labels is not a distribution and cannot be mixed.
        sets = targets.sum(1) > 1.5
        if sets.any():
            plain, result = np.flatnonzero(~sets), (images.copy(), targets.copy())
            result[0][plain], result[1][plain] = self(images[plain], targets[plain], rng)
            return result
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
