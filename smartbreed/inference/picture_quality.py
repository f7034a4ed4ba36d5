"""How well a crop can be seen: dark, blurred, noisy or gray ones deserve no sure answer.

A network is as sure of a dark or blurred dog as of a clear one, and more often wrong. What is wrong with a
crop can be measured without the network, and raises the temperature that its logits are divided by. How much
each fault counts is fitted on held-back pictures made worse (`training.calibration.quality`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

#: Mean brightness (of 1), sharpness and noise from which on a crop has a fault; one clear crop in ten has it.
LIGHT, SHARPNESS, NOISE = 0.3, 0.18, 0.11
#: Mean difference of the largest and the smallest channel below which a crop has little colour.
COLOUR = 5.0
#: Pixels of the photo along the longer side of a crop, below which it is small.
SMALL = 80


class Faults(NamedTuple):
    """How far a crop is from well seen, in doublings; each 0 for a clear one.

    Attributes:
        dark: halvings of its brightness below `LIGHT`.
        blurred: halvings of its fine detail, as a share of its contrast, below `SHARPNESS`.
        noisy: doublings of its noise, as a share of its contrast, above `NOISE`.
        colourless: 0 to 1, for shades of gray.
    """

    dark: float = 0.0
    blurred: float = 0.0
    noisy: float = 0.0
    colourless: float = 0.0


#: Of a crop that can be seen as well as any.
NO_FAULTS = Faults()


def faults_of(pixels: np.ndarray) -> Faults:
    """Measure uint8 ``(h, w, 3)``, at least 8 pixels a side, as the classifier gets it.

    Noise is Immerkaer's (1996, https://doi.org/10.1006/cviu.1996.0060): what a mask that is blind to edges
    leaves. Fine detail is the Laplacian over four pixels, which averages most of the noise away.
    """
    image = Image.fromarray(pixels).convert("L")
    # Whole numbers of 16 bits: nothing is rounded, and there is half as much to read as in float32.
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


#: Every brightness that a pixel can have.
_LEVELS = np.arange(256.0)


def _size(values: np.ndarray) -> float:
    """Mean of the absolute values, which replace the values."""
    return int(np.abs(values, out=values).sum(dtype=np.int64)) / values.size


def _laplacian(gray: np.ndarray) -> np.ndarray:
    """The difference of two Laplacians: no answer to flat, sloped or edged areas; at most 8 times 255."""
    rows = gray[:-2] + gray[2:]
    rows -= 2 * gray[1:-1]
    found = rows[:, :-2] + rows[:, 2:]
    found -= 2 * rows[:, 1:-1]
    return np.asarray(found)


def _second_difference(gray: np.ndarray) -> np.ndarray:
    """Four times the detail over four pixels, each the mean of 2 x 2; at most 16 times 255."""
    height, width = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    rows = gray[:height:2, :width] + gray[1:height:2, :width]
    sums = rows[:, ::2] + rows[:, 1::2]
    found = 4 * sums[1:-1, 1:-1]
    for beside in (sums[:-2, 1:-1], sums[2:, 1:-1], sums[1:-1, :-2], sums[1:-1, 2:]):
        found -= beside
    return np.asarray(found)
