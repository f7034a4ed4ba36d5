"""Picture quality of a crop: a dark, blurred, noisy or gray one should get a less confident answer.

A network is as confident about a dark or blurred dog as about a clear one, but more often wrong. These faults
are measured without the network, and they raise the temperature that its logits are divided by. The weight
of each fault is fitted on held-out pictures that were degraded (`training.calibration.quality`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

#: Limits of mean brightness (0…1), sharpness and noise. A crop below the first two or above the third has
#: that fault; so has one in ten clear crops.
LIGHT, SHARPNESS, NOISE = 0.3, 0.18, 0.11
#: Mean difference between the largest and the smallest channel (0…255) below which a crop lacks colour.
COLOUR = 5.0
#: Longer side of a crop, in pixels of the photo, below which it counts as small.
SMALL = 80


class Faults(NamedTuple):
    """Quality faults of a crop, counted in halvings or doublings; all are 0 for a clear one.

    Attributes:
        dark: halvings of the brightness below `LIGHT`.
        blurred: halvings of the fine detail, relative to the contrast, below `SHARPNESS`.
        noisy: doublings of the noise, relative to the contrast, above `NOISE`.
        colourless: 0 (coloured) to 1 (shades of gray only).
    """

    dark: float = 0.0
    blurred: float = 0.0
    noisy: float = 0.0
    colourless: float = 0.0


#: The faults of a clear crop.
NO_FAULTS = Faults()


def faults_of(pixels: np.ndarray) -> Faults:
    """Measure the faults of uint8 ``(h, w, 3)``, at least 8 pixels a side, as the classifier gets it.

    Noise follows Immerkaer (1996, https://doi.org/10.1006/cviu.1996.0060): the response of a mask that
    ignores edges. Fine detail is the Laplacian of 2 x 2 means, which average most of the noise away.
    """
    image = Image.fromarray(pixels).convert("L")
    # int16 is exact here and needs half the memory traffic of float32.
    gray = np.asarray(image).astype(np.int16)
    counts = np.array(image.histogram(), np.float64) / gray.size
    light = float(counts @ _LEVELS)
    contrast = max(0.0, float(counts @ _LEVELS**2) - light**2) ** 0.5 + 1.0
    colours = np.ascontiguousarray(pixels[::4, ::4].transpose(2, 0, 1))
    spread = float((colours.max(axis=0) - colours.min(axis=0)).mean())
    noise = _size(_laplacian(gray)) * 0.209 / contrast
    detail = _size(_second_difference(gray)) / 4 / contrast
    return Faults(
        max(0.0, float(np.log2(LIGHT * 255 / (light + 1.0)))),
        max(0.0, float(np.log2(SHARPNESS / (detail + 1e-4)))),
        max(0.0, float(np.log2(noise / NOISE + 1e-4))),
        max(0.0, 1 - spread / COLOUR),
    )


#: All brightness levels of a pixel.
_LEVELS = np.arange(256.0)


def _size(values: np.ndarray) -> float:
    """Return the mean absolute value; overwrites ``values`` with the absolute values."""
    return int(np.abs(values, out=values).sum(dtype=np.int64)) / values.size


def _laplacian(gray: np.ndarray) -> np.ndarray:
    """Return the difference of two Laplacians, which ignores flat areas, slopes, edges; at most 8 * 255."""
    rows = gray[:-2] + gray[2:]
    rows -= 2 * gray[1:-1]
    found = rows[:, :-2] + rows[:, 2:]
    found -= 2 * rows[:, 1:-1]
    return np.asarray(found)


def _second_difference(gray: np.ndarray) -> np.ndarray:
    """Return four times the Laplacian of the 2 x 2 means; at most 16 * 255."""
    height, width = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    rows = gray[:height:2, :width] + gray[1:height:2, :width]
    sums = rows[:, ::2] + rows[:, 1::2]
    found = 4 * sums[1:-1, 1:-1]
    for beside in (sums[:-2, 1:-1], sums[2:, 1:-1], sums[1:-1, :-2], sums[1:-1, 2:]):
        found -= beside
    return np.asarray(found)
