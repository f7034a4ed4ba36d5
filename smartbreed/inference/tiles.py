"""Tiles: run the detector on parts of a photo when it sees too little in the whole.

The detector sees a square of 300 pixels. A very wide or tall photo is squashed in it beyond recognition, and
a pet that takes a tenth of a photo's side is 30 pixels high. The slicing follows Akyon et al. 2022
(https://arxiv.org/abs/2202.06934). The detector looks at each find again, up close: this joins pets that a
tile border cut in two, and removes most false alarms of a single tile.
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

#: Long side divided by short side, above which a photo is a strip and is searched piece by piece.
STRIP = 3.0
#: Length of a piece as a multiple of the strip's short side; neighbouring pieces overlap by half.
PIECE = 2.0
#: Longest side, in pixels, from which a photo is large: a tile then shows more detail than the whole.
LARGE = 1000
#: Side of a tile as a share of the photo's longest side, and the share of it that the next tile overlaps.
TILE, SHARED = 0.3, 0.42
#: Maximum number of pieces of a strip; a longer strip has longer pieces.
MOST_PIECES = 40
#: Maximum number of finds that are looked at up close, and of pets in a photo that is searched in tiles.
MOST_CLOSER, MOST_PETS = 100, 100
#: Pets are small, so that there may be more, if the median of their longest sides is below this share of the
#: photo's longest side.
SMALL = 0.25
#: Side of a close-up as a multiple of the find's longest side.
CLOSER = 1.5
#: Subtracted from the log-odds of a find in a tile, because many looks raise more false alarms than one.
#: Counts twice if the close-up cuts the find off as well, as it does with a part of something large.
DOUBT = 2.0


def is_strip(width: int, height: int) -> bool:
    """Return whether a photo is so wide or tall that the whole of it shows the detector too little."""
    return max(width, height) > STRIP * min(width, height)


def parts(width: int, height: int) -> list[Box]:
    """Return the tiles of a photo: pieces along a strip, else overlapping squares; together they cover it."""
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
    """Find pets in the tiles of a picture; each is returned as its close-up shows it.

    Args:
        detector: the bundle's.
        picture: upright.
        smallest: score, 0…1, from which a box is looked at up close.
        spread: ``map``, or a function like it that uses several threads.
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
    """Return a find as a close-up shows it; None if the close-up does not show it."""
    part = _around(found.box, *picture.size)
    seen = detector.detect(picture, smallest, part)
    if not seen:
        return None
    box, boxes = np.array([found.box]), np.array([one.box for one in seen])
    same = (iou(box, boxes)[0] > 0.3) | (share_inside(box, boxes)[0] > 0.8)
    if not same.any():
        return None
    best = seen[int(same.argmax())]  # detections are sorted best first
    doubt = DOUBT * (2 if _is_cut_off(best.box, part, *picture.size) else 1)
    score, factor = min(best.score, found.score), float(np.exp(-doubt))
    # The odds score / (1 - score), times the factor, as a score again; a score may be exactly 1.
    return replace(best, score=score * factor / (1 - score + score * factor))


def _around(box: Box, width: int, height: int) -> Box:
    side = CLOSER * max(box[2] - box[0], box[3] - box[1])
    wide, high = min(side, width), min(side, height)
    left = min(max(0.0, (box[0] + box[2] - wide) / 2), width - wide)
    top = min(max(0.0, (box[1] + box[3] - high) / 2), height - high)
    return left, top, left + wide, top + high


def _is_cut_off(box: Box, part: Box, width: int, height: int) -> bool:
    """Return whether a box ends at a border of its part that is not a border of the photo."""
    near = 0.02 * max(part[2] - part[0], part[3] - part[1])
    return (
        (part[0] > 1 and box[0] < part[0] + near)
        or (part[1] > 1 and box[1] < part[1] + near)
        or (part[2] < width - 1 and box[2] > part[2] - near)
        or (part[3] < height - 1 and box[3] > part[3] - near)
    )


def _starts(length: float, size: float, step: float) -> list[float]:
    """Return where parts of ``size`` start that cover ``length`` evenly, at most ``step`` apart."""
    count = 1 + max(0, int(np.ceil((length - size) / step - 1e-6)))
    return [float(start) for start in np.linspace(0, max(0.0, length - size), count)]
