"""Crop and resize parts of a photo to a network's input."""

from __future__ import annotations

import numpy as np
from PIL import Image

from smartbreed.imaging.photo import Box


def resample(picture: Image.Image, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Resize ``box`` (pixels, inside the picture) to ``size`` (width, height), antialiased; uint8 RGB.

    A large photo is first shrunk by an integer factor (``reducing_gap``), which saves
    most of the time without a visible difference.
    """
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))


def to_input(pixels: np.ndarray, scale: float, offset: float) -> np.ndarray:
    """Convert uint8 ``(h, w, 3)`` to float32 ``(1, h, w, 3)`` as ``x * scale + offset``."""
    values = pixels[None].astype(np.float32)
    values *= scale
    values += offset
    return values
