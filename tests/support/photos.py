"""Pictures that tests make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noise(seed: int = 0, height: int = 48, width: int = 64, block: int = 8) -> NDArray[np.uint8]:
    """Coarse noise: different for every seed, and about as compressible as a photograph."""
    shape = (height // block, width // block, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return pixels.repeat(block, axis=0).repeat(block, axis=1)
