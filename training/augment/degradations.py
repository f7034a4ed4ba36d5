"""Degradations: make a photograph look as if the camera, the light or the connection was bad.

A network that never saw dark or blurred dogs is overconfident about them. Training on some with their true
labels teaches it how little such a picture shows, so its confidence falls where it should.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageFilter

#: Side of the picture, in pixels, that strengths in pixels refer to.
SIDE = 224
#: Takes a picture and a generator, and returns a worse picture of the same size.
Degradation = Callable[[Image.Image, np.random.Generator], Image.Image]


def night(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Dim the picture and add noise; half of the time also make it grey or blue, as night cameras do."""
    values = np.asarray(picture, np.float32) * rng.uniform(0.06, 0.4)
    if rng.random() < 0.5:
        gray = values @ np.array([0.299, 0.587, 0.114], np.float32)
        tint = np.array([1.0, 1.0, 1.0] if rng.random() < 0.5 else [0.75, 0.9, 1.25], np.float32)
        values = gray[..., None] * tint
    lift = rng.uniform(1.0, 4.0) if rng.random() < 0.4 else 1.0  # as if the camera turned up its gain
    noisy = (values + rng.normal(0, rng.uniform(4, 18), values.shape)) * lift
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def blurred(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur with a Gaussian of σ 1.5 to 5 pixels at a width of 224, as if out of focus."""
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 5.0) * picture.width / SIDE))


def compressed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Compress as JPEG of quality 4 to 25."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.integers(4, 26)))
    with Image.open(buffer) as again:
        return again.convert("RGB")


def far(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Scale down to 24 to 80 pixels and up again, as if the pet were that small in the photograph."""
    side = int(rng.uniform(24, 80))
    small = picture.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return small.resize(picture.size, Image.Resampling.BILINEAR)


def colourless(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Convert to shades of gray."""
    return picture.convert("L").convert("RGB")


def noisy(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Add Gaussian noise of σ 10 to 60 (of 255)."""
    values = np.asarray(picture, np.float64) + rng.normal(
        0, rng.uniform(10, 60), (picture.height, picture.width, 3)
    )
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


DEGRADATIONS: MappingProxyType[str, Degradation] = MappingProxyType(
    {
        "night": night,
        "blurred": blurred,
        "compressed": compressed,
        "far": far,
        "colourless": colourless,
        "noisy": noisy,
    }
)


def degrade(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Apply one degradation, chosen at random."""
    names = list(DEGRADATIONS)
    return DEGRADATIONS[names[int(rng.integers(len(names)))]](picture, rng)
