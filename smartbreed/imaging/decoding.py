"""Decode untrusted bytes into upright RGB pixels, or raise a `PhotoError`.

The first bytes determine the format, and its decoder is called directly,
not through ``PIL.Image.open``. So exotic decoders are out of reach, whatever else is
registered in the process, and Pillow's own global pixel limit, which the setting
replaces, neither warns nor refuses first. (Only the TIFF decoder applies that limit itself,
so a TIFF is limited to 179 million pixels whatever the setting.)
"""

from __future__ import annotations

import importlib
import re
import struct
import warnings
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import cast

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.colour import Pixels, upright_rgb
from smartbreed.imaging.containers import (
    check_work,
    ends_without_marker,
    is_crowded,
    is_progressive,
    is_run_length_coded,
    scans_of,
    with_end_marker,
    without_side_data,
)

#: Bytes of memory per pixel while a photo is decoded and processed, by Pillow's name of the format (8 for
#: others): the decoder's own buffers, Pillow's 4 bytes and 3 for the result. Measured at 48 megapixels.
_BYTES_A_PIXEL = {"WEBP": 17, "AVIF": 11, "HEIF": 9}


def most_memory(max_pixels: int) -> int:
    """Return the most memory that one photo may take, in bytes.

    A format whose decoder takes twice as much per pixel as others reaches this limit at fewer pixels.
    """
    return max(128_000_000, 9 * max_pixels)


def memory_needed(kind: str, size: tuple[int, int]) -> int:
    """Return the most memory that decoding and processing a picture takes, in bytes."""
    return size[0] * size[1] * _BYTES_A_PIXEL.get(kind, 8)


def coefficients(image: JpegImageFile) -> int:
    """Return how many bytes libjpeg needs for the coefficients of a progressive JPEG; 0 for other JPEGs.

    It holds them all before it outputs a pixel.
    """
    if not image.info.get("progressive"):
        return 0
    full = max(h for _, h, _, _ in image.layer) * max(v for _, _, v, _ in image.layer)
    planes = sum(h * v for _, h, v, _ in image.layer) / max(full, 1)
    return int(2 * planes * image.size[0] * image.size[1])


def webp_size(data: bytes) -> tuple[int, int]:
    """Read the width and height of the canvas from the header of a WebP.

    Raises:
        ValueError: there is no complete header.
    """
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
    elif chunk == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif chunk == b"VP8 " and len(data) >= 30:
        width, height = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (26, 28))
    else:
        raise ValueError("truncated WebP header" if len(data) < 30 else "no WebP header")
    return width, height


SUPPORTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"
#: Number of leading bytes that suffice to tell the kind of a file.
HEAD = 256
#: Shortest side accepted, in pixels.
MIN_SIDE = 8

#: A JPEG with more pixels may be decoded at a half, a quarter or an eighth of its sides: the networks look
#: at a few hundred pixels, and a reduced JPEG costs a fraction of the time and the memory.
REDUCE_ABOVE = 24_000_000
#: Formats that only workers decode: their decoders hold the interpreter's lock (GIL), or their work
#: cannot be predicted from the number of pixels.
_NEVER_HERE = {"HEIC", "AVIF", "TIFF"}
#: Work per pixel relative to a JPEG (14 ns of one core), by Pillow's name of the format. WebP's decoder may
#: hold the GIL.
_WORK_A_PIXEL = {"JPEG": 1, "PNG": 2, "WEBP": 10, "GIF": 1, "BMP": 1}
#: Number of scans of a JPEG that take as long as the rest of its decoding.
_SCANS = 5
#: Called with the number of bytes of memory that are needed.
Admit = Callable[[int], None]
#: Pixels, and the full width and height.
_Rendered = tuple[Pixels, tuple[int, int]]
#: Numbers of bytes cut off the end of a JPEG to see what they change; fewer may change nothing.
_TAILS = (2, 4, 8)
#: Side of a block whose pixels change together, and how far colour is smoothed beyond it, in pixels.
_BLOCK, _SMOOTHED = 16, 2
#: Most pixels that one bit of a JPEG can encode: each block of 8 × 8 has a code of its own.
_LEAST = 64
_DECODERS = {
    "JPEG": (__name__, "Jpeg"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "HEIC": ("pillow_heif", "HeifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
}
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
#: Files that people send by mistake: naming their kind helps more than "unknown".
_RAW_FILE = "a camera raw file"
_OTHERS = (
    (b"IIRO", _RAW_FILE),
    (b"IIRS", _RAW_FILE),
    (b"IIU\0", _RAW_FILE),
    (b"FUJIFILMCCD-RAW", _RAW_FILE),
    (b"\0\0\0\x18ftypcrx ", _RAW_FILE),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML or SVG document"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\0\0\0\x14ftyp", "a video"),
    (b"\0\0\0\x18ftyp", "a video"),
    (b"\0\0\0 ftyp", "a video"),
)
#: Phrases inside errors; pages translate them.
PHRASES = (SUPPORTED, *dict.fromkeys(what for _, what in _OTHERS if what != _RAW_FILE))
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_ANY_BRANDS = {b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_SUBFILE, _DNG = 254, 50706
_PHOTOMETRIC, _COMPRESSION, _YCBCR = 262, 259, 6  # TIFF tags, and a value of the first
#: Matches the messages of decoders for kinds of files that they do not support.
_UNREAD = re.compile(
    r"unsupported|not (yet )?supported|unknown (pixel mode|compression|data organization)", re.IGNORECASE
)


class Jpeg(JpegImageFile):
    """A JPEG whose EXIF is not read when it is opened: `colour` reads it, unless that would take long.

    It is not an MPO: the first picture of one is the photo.
    """

    def _read_dpi_from_exif(self) -> None:
        """Leave the resolution unknown; nothing uses it."""


class TooCostly(BaseException):  # not an Exception: those mean that a file is broken
    """Decoding would take more work than allowed; nothing was decoded, and no memory was admitted."""


def decode(
    data: bytes,
    max_pixels: int,
    admit: Admit | None = None,
    *,
    reduce: bool = False,
    most_work: int | None = None,
) -> tuple[Pixels, tuple[int, int]]:
    """Decode the first frame of an encoded picture.

    Args:
        data: the whole file, at least one byte.
        max_pixels: maximum number of pixels; compared with the size in the header,
            before any memory for pixels is allocated.
        admit: called with the bytes of memory that decoding will take, before it takes them; may wait
            or raise `PhotoError`.
        reduce: decode a JPEG over `REDUCE_ABOVE` pixels at a half, a quarter or an eighth of its sides.
        most_work: maximum work, in pixels of an ordinary JPEG; None: unlimited.

    Returns:
        uint8 (height, width, 3), as from `colour.upright_rgb`; and the full width and height of
        the upright picture, which are larger than the array's if the picture was reduced.

    Raises:
        PhotoError: ``unsupported_format``, ``too_many_pixels``, ``too_small``,
            ``truncated`` or ``damaged``. Nothing else, whatever the bytes.
        TooCostly: decoding takes more than ``most_work``, or its work cannot be predicted.
    """
    kind = sniff(data)
    if kind is None:
        known = next((what for magic, what in _OTHERS if data[:64].lstrip().startswith(magic)), "")
        raise _not_supported(known)
    _silence_decoders()
    check_work(kind, data)
    if is_crowded(kind, data):
        data = without_side_data(kind, data)
    passes = 1.0
    if kind == "JPEG":
        # Without an end marker it is rendered up to five times, to see whether it is cut off.
        passes = (1 + scans_of(data) / _SCANS) * (5 if ends_without_marker(data) else 1)
    if most_work is not None and (kind in _NEVER_HERE or (kind == "BMP" and is_run_length_coded(data))):
        raise TooCostly

    def check_here(form: str, size: tuple[int, int]) -> None:
        if most_work is not None and size[0] * size[1] * _WORK_A_PIXEL[form] * passes > most_work:
            raise TooCostly

    try:
        if kind == "WebP":
            # The decoder allocates the whole canvas as soon as it opens the file.
            size = webp_size(data)
            check_size(*size, max_pixels)
            check_here("WEBP", size)
            _admit(memory_needed("WEBP", size), size, max_pixels, admit)
            admit = None
        held: list[int] = []  # a second try reuses the memory that the first was admitted with

        def admit_once(memory: int) -> None:
            if admit is not None and memory > sum(held):
                held.append(memory - sum(held))
                admit(held[-1])

        def render(tried: bytes) -> _Rendered:
            image = _open(kind, tried)
            check_size(*image.size, max_pixels)
            check_here(image.format or "", image.size)
            return _render(image, max_pixels, admit_once, reduce)

        return _with_second_try(kind, data, render)
    except PhotoError:
        raise
    except Exception as error:  # decoders raise anything: struct.error, SyntaxError, MemoryError, …
        raise _failure(error, kind, ends_early=_ends_early(kind, data)) from error


def _with_second_try(kind: str, data: bytes, render: Callable[[bytes], _Rendered]) -> _Rendered:
    """Render a file; if that fails, retry without side data, and with an end marker if a JPEG lacks one."""
    try:
        return render(data)
    except PhotoError:
        raise
    except Exception:
        plain = without_side_data(kind, data)
        if kind != "JPEG" or not ends_without_marker(data):
            if plain == data:
                raise
            return render(plain)
        found = render(with_end_marker(plain))
        width, height = found[1]
        if len(data) * 8 < width * height // _LEAST:
            raise  # certainly cut off: spare three more renderings of something large
        in_order = not is_progressive(data)
        shorter = (render(with_end_marker(plain, cut))[0] for cut in _TAILS)
        if not any(_reaches_end(found[0], pixels, in_order) for pixels in shorter):
            raise
        return found


def _reaches_end(pixels: Pixels, shorter: Pixels, in_order: bool) -> bool:
    """Return whether the data of a JPEG without end marker reach its last corner.

    Only then does removing the last bytes change nothing before that corner. If the file is cut off, the
    decoder fills the rest with what it has, so a shorter file differs from there on. A progressive JPEG ends
    with a scan that may describe much of the last rows in one byte.

    Args:
        pixels: of the file.
        shorter: pixels of the file without its last few bytes.
        in_order: whether the JPEG is stored from top to bottom, that is, not progressive.
    """
    rows, columns = np.nonzero((pixels != shorter).any(axis=2))
    if not rows.size:
        return False
    down, across = (-(-int(side) // _BLOCK) for side in pixels.shape[:2])
    row = (int(rows.min()) + _SMOOTHED) // _BLOCK
    first = int(columns[rows + _SMOOTHED >= row * _BLOCK].min()) + _SMOOTHED if in_order else 0
    left = (down - row) * across - first // _BLOCK
    return left <= 1 + down * across // 50 if in_order else bool(row == down - 1)


def decode_image(image: Image.Image, max_pixels: int) -> Pixels:
    """Like `decode`, for an image that the caller opened; it may not be loaded yet, and is never reduced."""
    _silence_decoders()
    try:
        check_size(*image.size, max_pixels)
        image.load()
        return upright_rgb(image)
    except PhotoError:
        raise
    except Exception as error:
        raise _failure(error, image.format or "image", ends_early=False) from error


def _render(
    image: Image.Image, max_pixels: int, admit: Admit | None, reduce: bool
) -> tuple[Pixels, tuple[int, int]]:
    full = image.size
    extra = 0
    if isinstance(image, JpegImageFile):
        extra = coefficients(image)
        if reduce and full[0] * full[1] > REDUCE_ABOVE:
            factor = next(f for f in (2, 4, 8) if full[0] * full[1] <= REDUCE_ABOVE * f * f or f == 8)
            if min(full) >= 2 * factor * MIN_SIDE:
                image.draft(None, (full[0] // factor, full[1] // factor))
    reduced = image.size
    _admit(memory_needed(image.format or "", reduced) + extra, full, max_pixels, admit)
    image.load()
    if reduced == full:
        full = image.size
        check_size(*full, max_pixels)  # a GIF's frame or a HEIC's item can differ from the header
    pixels = upright_rgb(image)
    if (image.size[0] > image.size[1]) != (pixels.shape[1] > pixels.shape[0]):  # was turned by 90°
        full = (full[1], full[0])
    return pixels, full


def _admit(memory: int, size: tuple[int, int], max_pixels: int, admit: Admit | None) -> None:
    if memory > most_memory(max_pixels):
        raise PhotoError(
            "too_many_pixels",
            f"The photo is {size[0]} × {size[1]} pixels, too many for a file of this kind. "
            "Send a smaller copy, or a JPEG.",
        )
    if admit is not None:
        admit(memory)


def stand_in(head: bytes) -> bytes | None:
    """Return a placeholder to keep instead of a file that is no supported picture; None for a picture.

    Args:
        head: the first `HEAD` bytes of the file, or all of it if it is shorter.

    Returns:
        Bytes that `decode` refuses for the same reason; they contain nothing of the file.
    """
    if sniff(head) is not None:
        return None
    if not head:
        return b""
    return next((magic for magic, _ in _OTHERS if head[:64].lstrip().startswith(magic)), b"?")


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise `PhotoError` ``too_many_pixels`` or ``too_small`` if a size in pixels is not acceptable."""
    if width * height > max_pixels:
        raise PhotoError(
            "too_many_pixels",
            f"The photo is {width} × {height} pixels, {width * height:,} in all; "
            f"at most {max_pixels:,} are accepted. Send a smaller copy.",
        )
    if min(width, height) < MIN_SIDE:
        raise PhotoError(
            "too_small",
            f"The photo is {width} × {height} pixels; each side needs at least {MIN_SIDE}.",
        )


def sniff(data: bytes) -> str | None:
    """Return the format that a file's first bytes indicate, a key of `_DECODERS`; ``None`` if unknown."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        length = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12]}
        if brands <= _ANY_BRANDS:  # these say only "a picture"; the brands that follow name the codec
            brands |= {data[i : i + 4] for i in range(16, length, 4)}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & (_HEIC_BRANDS | _ANY_BRANDS):
            return "HEIC"
    return None


@cache
def _decoder(kind: str) -> Callable[[BytesIO, str], Image.Image]:
    module, name = _DECODERS[kind]
    return cast("Callable[[BytesIO, str], Image.Image]", getattr(importlib.import_module(module), name))


def _open(kind: str, data: bytes) -> Image.Image:
    if kind == "TIFF" and data[8:10] == b"CR":
        raise _not_supported(_RAW_FILE)
    opener = _decoder(kind)
    try:
        image = opener(BytesIO(data), "")
    except Exception:
        # AVIF and HEIC decoders parse EXIF on opening and refuse the photo if it is broken.
        # Renaming the item, which keeps every offset, hides it; orientation is not stored there.
        if kind not in ("AVIF", "HEIC") or b"Exif" not in data:
            raise
        return opener(BytesIO(data.replace(b"Exif", b"skip", 1)), "")
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PHOTOMETRIC) == _YCBCR and tags.get(_COMPRESSION, 1) == 1:
        # Pillow would expect four bytes per pixel and call the file truncated.
        raise ValueError("unsupported: uncompressed YCbCr in a TIFF")
    if tags.get(_SUBFILE, 0) & 1 or _DNG in tags:
        raise _not_supported(_RAW_FILE)  # its first picture is a small preview
    return image


def _silence_decoders() -> None:
    # Not warnings.catch_warnings, which swaps the process's filters and is not thread-safe. This filter
    # affects only warnings of the decoders' own modules; it is added once.
    if not any(action == "ignore" and module == _QUIET for action, _, _, module, _ in warnings.filters):
        warnings.filterwarnings("ignore", module=_QUIET.pattern)


_QUIET = re.compile(r"(PIL|pillow_heif)\.")


def _failure(error: Exception, kind: str, *, ends_early: bool) -> PhotoError:
    said = str(error)
    if isinstance(error, Image.DecompressionBombError):
        return PhotoError("too_many_pixels", "The photo unpacks to far too many pixels. Send a smaller copy.")
    if ends_early or "truncated" in said.lower():
        return PhotoError(
            "truncated",
            f"The {kind} file ends before the picture does. Send the whole file again.",
        )
    if isinstance(error, ImportError) or _UNREAD.search(said):
        return PhotoError(
            "unsupported_format",
            f"This is a rare kind of {kind} that cannot be read here. Save it as an ordinary JPEG or PNG.",
        )
    return damaged(kind)


def _not_supported(known: str) -> PhotoError:
    """Return the error for a file that is none of the formats; ``known`` says what it is, if not empty."""
    if known == _RAW_FILE:
        return PhotoError(
            "unsupported_format",
            "This is a camera raw file. "
            "Export it as a JPEG in the camera or in a photo program, and send that.",
        )
    if known:
        return PhotoError(
            "unsupported_format", f"This looks like {known}, not a photo. Send a {SUPPORTED} file."
        )
    return PhotoError(
        "unsupported_format", f"This is not a picture of a known kind. Send a {SUPPORTED} file."
    )


def damaged(kind: str) -> PhotoError:
    """Return the error for a photo that no decoder can make sense of."""
    return PhotoError(
        "damaged",
        f"The {kind} is damaged and cannot be decoded. Open it in a picture viewer and save a new copy.",
    )


def _ends_early(kind: str, data: bytes) -> bool:
    """Return whether a file's lengths and markers say that bytes are missing; called only after a failure."""
    if kind == "JPEG":
        return ends_without_marker(data)
    if kind == "PNG":
        return b"IEND" not in data[-64:]
    if kind == "GIF":
        return not data.rstrip(b"\0").endswith(b";")
    if kind == "WebP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind == "BMP":
        return len(data) < 54 or int.from_bytes(data[2:6], "little") > len(data)
    if kind == "TIFF":
        directory = struct.unpack("<I" if data[:2] == b"II" else ">I", data[4:8].ljust(4, b"\0"))[0]
        return len(data) < 16 or (42 in data[2:4] and directory >= len(data))
    at = 0  # HEIC and AVIF: a chain of boxes, each of which starts with its length
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        if length < 8:  # 0: "up to the end of the file"; others are invalid
            return False
        at += length
    return at != len(data)
