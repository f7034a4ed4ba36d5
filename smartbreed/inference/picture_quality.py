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
    gray = np.asarray(Image.fromarray(pixels).convert("L"), np.float32)
    red, green, blue = pixels[::4, ::4].astype(np.int16).transpose(2, 0, 1)
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    contrast = float(gray.std()) + 1.0
    noise = float(np.abs(_laplacian(gray)).mean()) * 0.209 / contrast
    detail = float(np.abs(_second_difference(gray)).mean()) / contrast
    return Faults(
        max(0.0, float(np.log2(LIGHT * 255 / (float(gray.mean()) + 1.0)))),
        max(0.0, float(np.log2(SHARPNESS / (detail + 1e-4)))),
        max(0.0, float(np.log2(noise / NOISE + 1e-4))),
        max(0.0, 1 - float(spread.mean()) / COLOUR),
    )


def _laplacian(gray: np.ndarray) -> np.ndarray:
    """The difference of two Laplacians: no answer to flat, sloped or edged areas."""
    rows = gray[:-2] - 2 * gray[1:-1] + gray[2:]
    return np.asarray(rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:])


def _second_difference(gray: np.ndarray) -> np.ndarray:
    """Detail over four pixels, each the mean of 2 x 2."""
    height, width = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
    even, odd = gray[:height:2, :width], gray[1:height:2, :width]
    rows = even + odd
    half = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    return np.asarray(
        half[1:-1, 1:-1] * 4 - half[:-2, 1:-1] - half[2:, 1:-1] - half[1:-1, :-2] - half[1:-1, 2:]
    )
