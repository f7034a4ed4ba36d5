"""Tiles: parts of a photo that the detector looks at by themselves, where the whole shows it too little.

The detector sees a square of 300 pixels. A very wide or tall photo is squashed in it beyond recognition, and
a pet that takes a tenth of a photo's side is 30 pixels high. Slicing is Akyon et al. 2022
(https://arxiv.org/abs/2202.06934). Each find is looked at a second time, up close: that puts a pet together
which a border cut in two, and most of what only looks like a pet in one tile is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from smartbreed.imaging.photo import Box
from smartbreed.inference.boxes import iou, non_maximum_suppression, share_inside
from smartbreed.inference.detector import Detection, Detector

#: Long side by short side from which on a photo is a strip, looked at piece by piece.
STRIP = 3.0
#: Length of a piece, in short sides of the strip; each shares half of it with the next.
PIECE = 2.0
#: Longest side in pixels from which on a photo is large: a tile of it then shows more than the whole did.
LARGE = 1000
#: Side of a tile by the longest side of the photo, and the share of it that lies in the next tile as well.
TILE, SHARED = 0.3, 0.42
#: Most pieces of a strip; a longer one has longer pieces.
MOST_PIECES = 40
#: Most finds that are looked at up close, and most pets of a photo that is looked at in tiles.
MOST_CLOSER, MOST_PETS = 100, 100
#: Pets whose longest side, in the median, is below this share of the photo's are small: there may be more.
SMALL = 0.25
#: Longest side of what is looked at up close, in those of the find.
CLOSER = 1.5
#: Log-odds that a find in a tile has to make up for: many looks raise more false alarms than one. It counts
#: twice for a find that is cut off up close as well, as a part of something large is.
DOUBT = 2.0


def is_strip(width: int, height: int) -> bool:
    """Whether a photo is so wide or tall that a look at the whole of it shows little."""
    return max(width, height) > STRIP * min(width, height)


def parts(width: int, height: int) -> list[Box]:
    """The tiles of a photo: pieces along a strip, else overlapping squares; all together cover it."""
    long, short = max(width, height), min(width, height)
    if is_strip(width, height):
        size = max(PIECE * short, 2 * long / (MOST_PIECES + 1))
        starts = _starts(long, size, size / 2)
        return [
            (start, 0.0, start + size, float(height))
            if width > height
            else (0.0, start, float(width), start + size)
            for start in starts
        ]
    side = min(TILE * long, short)
    step = side * (1 - SHARED)
    return [
        (x, y, x + side, y + side) for y in _starts(height, side, step) for x in _starts(width, side, step)
    ]


def search(
    detector: Detector, picture: Image.Image, smallest: float, spread: Callable[..., Iterable[Any]] = map
) -> list[Detection]:
    """Pets in the tiles of a picture, each as seen up close.

    Args:
        detector: the bundle's.
        picture: upright.
        smallest: score, 0…1, from which on a box is worth a closer look.
        spread: ``map``, or one that spreads the looks over threads.
    """
    looks = spread(lambda part: detector.detect(picture, smallest, part), parts(*picture.size))
    found = [detection for look in looks for detection in look]
    if not found:
        return []
    boxes, scores = np.array([one.box for one in found]), np.array([one.score for one in found])
    kept = non_maximum_suppression(boxes, scores, detector.config.overlap, MOST_CLOSER)
    closer = spread(lambda index: _up_close(detector, picture, found[index], smallest), kept)
    return [detection for detection in closer if detection is not None]


def _up_close(
    detector: Detector, picture: Image.Image, found: Detection, smallest: float
) -> Detection | None:
    """The find as a look at it and little beside it shows it; None where that shows no such thing."""
    part = _around(found.box, *picture.size)
    seen = detector.detect(picture, smallest, part)
    if not seen:
        return None
    box, boxes = np.array([found.box]), np.array([one.box for one in seen])
    same = (iou(box, boxes)[0] > 0.3) | (share_inside(box, boxes)[0] > 0.8)
    if not same.any():
        return None
    best = seen[int(same.argmax())]  # they come best first
    doubt = DOUBT * (2 if _is_cut_off(best.box, part, *picture.size) else 1)
    odds = min(best.score, found.score)
    odds = odds / (1 - odds) * float(np.exp(-doubt))
    return replace(best, score=odds / (1 + odds))


def _around(box: Box, width: int, height: int) -> Box:
    side = CLOSER * max(box[2] - box[0], box[3] - box[1])
    wide, high = min(side, width), min(side, height)
    left = min(max(0.0, (box[0] + box[2] - wide) / 2), width - wide)
    top = min(max(0.0, (box[1] + box[3] - high) / 2), height - high)
    return left, top, left + wide, top + high


def _is_cut_off(box: Box, part: Box, width: int, height: int) -> bool:
    """Whether a box ends at a border of its part that is none of the photo."""
    near = 0.02 * max(part[2] - part[0], part[3] - part[1])
    return (
        (part[0] > 1 and box[0] < part[0] + near)
        or (part[1] > 1 and box[1] < part[1] + near)
        or (part[2] < width - 1 and box[2] > part[2] - near)
        or (part[3] < height - 1 and box[3] > part[3] - near)
    )


def _starts(length: float, size: float, step: float) -> list[float]:
    """Where parts of ``size`` begin that cover ``length`` evenly, at most ``step`` apart."""
    count = 1 + max(0, int(np.ceil((length - size) / step - 1e-6)))
    return [float(start) for start in np.linspace(0, max(0.0, length - size), count)]
