"""Pictures for flags whose content does not matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def photo(seed: int = 0) -> NDArray[np.uint8]:
    """Coarse noise: different for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return pixels.repeat(8, axis=0).repeat(8, axis=1)
