"""Make many crops of one: a jittered box, a mirror, a small turn, another light, a worse camera.

Stanford's dogs are cut exactly to a hand-drawn box; at run time the box comes
from a detector and is never that exact, so the box itself is what moves most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance


@dataclass(frozen=True)
class CropAugmentation:
    """Ranges of every random change.

    Attributes:
        shrink, grow: smallest and largest side of the new box, as a share of the old.
        shift: largest move of its centre, as a share of the side.
        aspect: largest change of width against height.
        rotation: degrees, to either side.
        colour: largest change of brightness, contrast and saturation.
        blur: probability of a detour through a lower resolution.
    """

    shrink: float = 0.72
    grow: float = 1.18
    shift: float = 0.08
    aspect: float = 0.15
    rotation: float = 8.0
    colour: float = 0.25
    blur: float = 0.15

    def __call__(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment one uint8 ``(size, size, 3)`` picture; the result has the same shape."""
        size = pixels.shape[0]
        pad = size // 4
        # Reflection fills what a grown or turned box sees beyond the picture.
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
        return np.asarray(picture)


#: Milder than for training a backbone: about as far from a crop by hand as the detector's are.
MILD = CropAugmentation(shrink=0.82, grow=1.12, shift=0.05, aspect=0.1, rotation=5.0, colour=0.15, blur=0.08)


def view(
    images: np.ndarray, number: int, which: int, augment: CropAugmentation | None, seed: int
) -> np.ndarray:
    """View ``which`` of picture ``number``: the same bytes whenever it is asked for."""
    picture = images[number]
    return augment(picture, np.random.default_rng((seed, number, which))) if augment else picture
