"""Pictures of flagged pets: the stored photo, the pet with its surroundings, and a frame around it."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from smartbreed.feedback.blobs import BlobStore
from smartbreed.imaging.admission import Admission
from smartbreed.imaging.photo import Box, Photo, read_photo

#: Side of the picture as a multiple of the pet's longest side.
_MARGIN = 1.3
_FRAME = (179, 69, 26)


def stored_photo(blobs: BlobStore, sample_id: str, admission: Admission | None = None) -> Photo:
    """Read the stored photo of a flag, without limits of size: they were checked when it was sent.

    Args:
        admission: waits until there is memory for the photo.

    Raises:
        StorageError, PhotoError: the photo is gone or damaged.
    """
    return read_photo(blobs.get(sample_id), max_bytes=2**31, max_pixels=2**31, admission=admission)


def draw_frame(picture: Image.Image, corners: Sequence[float], width: int) -> None:
    """Draw a coloured frame with a white edge, so that it stands out from any background.

    Args:
        picture: is drawn on.
        corners: x0, y0, x1, y1 in pixels of the picture.
        width: of the coloured line, in pixels.
    """
    x0, y0, x1, y1 = corners
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline="white", width=width + 2)
    draw.rectangle((x0, y0, x1, y1), outline=_FRAME, width=width)


def surroundings(photo: Photo, box: Box | None, side: int) -> Image.Image:
    """Return a picture of the pet with some margin and a frame, square if the photo is large enough.

    Args:
        box: in pixels of the photo; None: the whole photo, which needs no frame.
        side: longest side of the picture, in pixels.
    """
    around = _around(photo, box) if box else (0.0, 0.0, float(photo.width), float(photo.height))
    width, height = around[2] - around[0], around[3] - around[1]
    factor = side / max(width, height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture = photo.to_pil().resize(size, Image.Resampling.BILINEAR, box=around, reducing_gap=2.0)
    if box is None:
        return picture
    x0, x1 = ((x - around[0]) * factor for x in (box[0], box[2]))
    y0, y1 = ((y - around[1]) * factor for y in (box[1], box[3]))
    if x0 < 2 and y0 < 2 and x1 > size[0] - 3 and y1 > size[1] - 3:
        return picture  # the pet fills the picture
    # A frame on the very edge would be half cut off.
    corners = (max(x0, 2), max(y0, 2), min(x1, size[0] - 3), min(y1, size[1] - 3))
    if corners[0] < corners[2] and corners[1] < corners[3]:
        draw_frame(picture, corners, 3)
    return picture


def _around(photo: Photo, box: Box) -> Box:
    side = _MARGIN * max(box[2] - box[0], box[3] - box[1])
    x0, x1 = _span((box[0] + box[2]) / 2, side, photo.width)
    y0, y1 = _span((box[1] + box[3]) / 2, side, photo.height)
    return (x0, y0, x1, y1)


def _span(middle: float, length: float, most: int) -> tuple[float, float]:
    """Return an interval of that length around the middle, moved or shortened to lie in 0…most."""
    length = min(length, most)
    start = min(max(middle - length / 2, 0.0), most - length)
    return start, start + length
