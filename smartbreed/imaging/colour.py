"""Turn any Pillow image or array of numbers into upright 8-bit sRGB pixels.

Applies the EXIF orientation, puts transparent pictures on white, scales deep pixels down
instead of clipping them, and converts by the embedded ICC profile if it is
usable. Bad metadata is ignored: it never makes a photo unusable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smartbreed.imaging.containers import is_costly_exif, without_pipelines

if TYPE_CHECKING:
    from PIL import ImageCms

logger = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Turn → a view of turned pixels in their stored order.
_UNTURN: dict[Image.Transpose, Callable[[Pixels], Pixels]] = {
    Image.Transpose.FLIP_LEFT_RIGHT: lambda pixels: pixels[:, ::-1],
    Image.Transpose.ROTATE_180: lambda pixels: pixels[::-1, ::-1],
    Image.Transpose.FLIP_TOP_BOTTOM: lambda pixels: pixels[::-1],
    Image.Transpose.TRANSPOSE: lambda pixels: pixels.transpose(1, 0, 2),
    Image.Transpose.ROTATE_270: lambda pixels: np.rot90(pixels, 1),
    Image.Transpose.TRANSVERSE: lambda pixels: pixels.transpose(1, 0, 2)[::-1, ::-1],
    Image.Transpose.ROTATE_90: lambda pixels: np.rot90(pixels, -1),
}
#: Number of pixels converted at a time. It is small, so that intermediate copies reuse memory that the
#: process has already: the system hands out and takes back tens of megabytes page by page, which took
#: longer than decoding at 4 megapixels.
_BAND = 500_000
_ORIENTATION_SOURCES = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
#: Modes that may be transparent → the opaque mode of the same colours; RGB for all others.
_OPAQUE = {"LA": "L", "La": "L", "L": "L", "1": "L"}
#: ICC colour space → the Pillow mode it can be applied to.
_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
#: Longest ICC profile that is used, in bytes; those of printing presses have about 2 MB.
_MAX_PROFILE = 4_000_000
#: A profile that changes no channel by more than this many of 255 levels is treated as sRGB.
_SAME = 2


def upright_rgb(image: Image.Image) -> Pixels:
    """Return the pixels of a loaded image as a person should see them.

    Returns:
        uint8 (height, width, 3), C-contiguous, read-only, sRGB, and not a view of the image's memory.
    """
    turn = _TURNS.get(_orientation(image))
    profile = image.info.get("icc_profile")
    rows = max(1, _BAND // image.width)
    # A deep picture cannot be converted in bands: its values are scaled by their overall range.
    if image.height > rows and not image.mode.startswith("I") and image.mode != "F":
        pixels = _in_bands(image, profile, turn, rows)
    else:
        flat = _to_srgb(_flatten(image), profile)
        if turn is not None:
            flat = flat.transpose(turn)
        pixels = np.asarray(flat)
    pixels.flags.writeable = False
    return pixels


def _in_bands(
    image: Image.Image, profile: object, turn: Image.Transpose | None, rows: int
) -> npt.NDArray[np.uint8]:
    """Convert a few rows at a time, so that a large picture is not in memory several times over."""
    width, height = image.size
    turned = turn in (
        Image.Transpose.TRANSPOSE,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_270,
    )
    pixels = np.empty((width, height, 3) if turned else (height, width, 3), np.uint8)
    stored = pixels if turn is None else _UNTURN[turn](pixels)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        stored[top : top + rows] = np.asarray(_to_srgb(_flatten(band), profile))
    return pixels


def array_rgb(array: npt.NDArray[Any]) -> Pixels:
    """Like `upright_rgb`, for an array of shape (height, width[, 1]), (…, 3) or (…, 4 with alpha).

    Returns:
        uint8 (height, width, 3) as from `upright_rgb`; never a view of the argument.

    Raises:
        ValueError: the shape or dtype is not that of a picture; the message ends with what was received.
    """
    planes = 1 if array.ndim == 2 else array.shape[-1] if array.ndim == 3 else 0
    if planes not in (1, 3, 4) or array.dtype.kind not in "buif":
        raise ValueError(
            "An array is a picture when it has the shape (height, width), (height, width, 3) or "
            f"(height, width, 4) and holds numbers. Received: shape={array.shape}, dtype={array.dtype}"
        )
    levels = to_levels(array)
    if planes == 4:
        return upright_rgb(Image.fromarray(np.ascontiguousarray(levels), "RGBA"))
    gray = levels.reshape(*array.shape[:2], planes)
    pixels = np.array(np.broadcast_to(gray, (*array.shape[:2], 3)), order="C")
    pixels.flags.writeable = False
    return pixels


def to_levels(values: npt.NDArray[Any]) -> Pixels:
    """Scale numbers of any range to 0…255.

    uint8 stays, booleans become 0 and 255, and uint16 uses its full range. For any
    other type the range follows from the values: fractions up to 1, bytes up to
    255, 16-bit numbers up to 65535; anything else (negative, larger) is stretched
    from its minimum to its maximum. Values that are not finite count as 0.

    Returns:
        uint8 of the same shape; the argument itself if it was uint8.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:  # either byte order
        low, full = 0.0, 65_535.0
    else:
        ends = [(band.min(), band.max()) for _, band in _bands(values)]
        low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
        if low < 0 or high > 65_535:
            full = high - low
        else:
            low, full = 0.0, 65_535.0 if high > 255 else 255.0
            if values.dtype.kind == "f" and high <= 1:
                full = 1.0
    levels = np.empty(values.shape, np.uint8)
    for rows, band in _bands(values):
        band -= low
        band *= 255.0 / (full or 1.0)
        levels[rows] = np.rint(band.clip(0.0, 255.0, out=band), out=band)
    return levels


def _bands(values: npt.NDArray[Any]) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Yield rows as finite float64 numbers, a few at a time: a whole big picture would take gigabytes."""
    height = max(1, 1_000_000 * len(values) // values.size)
    for top in range(0, len(values), height):
        rows = slice(top, top + height)
        band = values[rows].astype(np.float64)
        band[~np.isfinite(band)] = 0.0
        yield rows, band


def _flatten(image: Image.Image) -> Image.Image:
    """Convert to mode L, RGB or CMYK: 8 bits per channel and opaque."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        levels = to_levels(values)
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            levels = np.where(values == clear, np.uint8(255), levels)
        return Image.fromarray(levels, "L")
    if image.has_transparency_data:
        opaque = _OPAQUE.get(image.mode, "RGB")
        if image.mode == "La":  # Pillow converts premultiplied gray to LA only
            image = image.convert("LA")
        blended = image.convert("LA" if opaque == "L" else "RGBA")
        page = Image.new(opaque, image.size, "white")
        page.paste(blended.convert(opaque), mask=blended.getchannel("A"))
        return page
    return image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    if isinstance(profile, bytes) and 128 < len(profile) <= _MAX_PROFILE:
        try:
            transform = _transform(profile, image.mode)
            if transform is not None:
                return transform.apply(image)
        except Exception as error:  # plain conversion is the best remaining guess
            logger.debug("ICC profile ignored: %s", error)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB; None if it changes nothing or does not fit ``mode``."""
    from PIL import ImageCms  # takes 20 ms, and most photos are sRGB without a profile

    source = ImageCms.ImageCmsProfile(BytesIO(without_pipelines(profile)))
    if _PROFILE_MODES.get(source.profile.xcolor_space.strip()) != mode:
        return None
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode == "CMYK":
        return transform
    probe = _probe(mode)
    moved = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
    return None if np.abs(moved).max() <= _SAME else transform


def _probe(mode: str) -> Image.Image:
    """Return colours from the whole RGB cube, or all grays, to measure what a profile changes."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None], "L")
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if there is none or it cannot be read."""
    if not _ORIENTATION_SOURCES & image.info.keys():
        return 1
    try:
        raw = image.info.get("Raw profile type exif", "")  # PNG's older form: hex digits
        if is_costly_exif(image.info.get("exif") or bytes.fromhex("".join(raw.split("\n")[3:]))):
            return 1
        if image.format in ("AVIF", "HEIF"):
            # Only the container's own rotation counts: the decoder has applied it (HEIF) or put it
            # into the EXIF (AVIF). Image.getexif would also use the XMP.
            exif = Image.Exif()
            exif.load(image.info.get("exif", b""))
        else:
            exif = image.getexif()
        value = exif.get(_ORIENTATION_TAG, 1)
        return value if value in _TURNS else 1
    except Exception as error:  # broken metadata must not make the photo unusable
        logger.debug("EXIF ignored: %s", error)
        return 1
