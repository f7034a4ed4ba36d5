"""Turn untrusted input into an upright RGB photo without metadata, or raise a `PhotoError`.

Limits are checked before anything is decoded: bytes before the file is read, pixels as
soon as the header is known. `decoding` turns bytes into an image, `decoders` chooses the
process for that, and `colour` turns an image into plain RGB.
"""

from __future__ import annotations

import base64
import hashlib
import re
import stat
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
import numpy.typing as npt
from PIL import Image

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.admission import Admission, Reservation
from smartbreed.imaging.colour import Pixels, array_rgb
from smartbreed.imaging.decoders import decode
from smartbreed.imaging.decoding import check_size, decode_image

PhotoInput = bytes | bytearray | memoryview | str | Path | Image.Image | npt.NDArray[Any]
#: x0, y0, x1, y1 in pixels.
Box = tuple[float, float, float, float]

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
#: Text of fewer characters is taken for a path, even if it looks like base64.
_MIN_BASE64 = 32
_URL_SAFE = str.maketrans("-_", "+/")
#: Default limits of a photo, in bytes and in pixels.
MAX_BYTES, MAX_PIXELS = 30_000_000, 64_000_000
#: Longest path, in characters; longer text is not looked up on the disk.
_MAX_PATH = 4096
#: Longest side of a JPEG, in pixels: it is stored in 16 bits, and libjpeg stops a little earlier.
_MAX_JPEG_SIDE = 65_500


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright picture that contains nothing but pixels.

    Attributes:
        pixels: uint8 (height, width, 3), sRGB, C-contiguous, read-only.
        sha256: hex digest of the bytes as received. A Pillow image or an array has none; its
            digest is that of ``b"{height}x{width}x3\\n"`` followed by the upright pixels.
        name: the file's base name, never a path; ``""`` if unknown.
        full: width and height of the photo as received, upright; empty: those of ``pixels``.
    """

    pixels: Pixels
    sha256: str
    name: str
    full: tuple[int, int] | tuple[()] = ()

    @property
    def width(self) -> int:
        """Width of the full photo in pixels; ``pixels`` may be smaller, see `in_pixels`."""
        return self.full[0] if self.full else int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height of the full photo in pixels."""
        return self.full[1] if self.full else int(self.pixels.shape[0])

    def in_pixels(self, box: Box) -> Box:
        """Convert a box x0, y0, x1, y1 of the full photo to one of ``pixels``."""
        return self._scaled(box, self.pixels.shape[1] / self.width, self.pixels.shape[0] / self.height)

    def in_full(self, box: Box) -> Box:
        """Convert a box x0, y0, x1, y1 of ``pixels`` to one of the full photo."""
        return self._scaled(box, self.width / self.pixels.shape[1], self.height / self.pixels.shape[0])

    def _scaled(self, box: Box, x: float, y: float) -> Box:
        return box if x == y == 1 else (box[0] * x, box[1] * y, box[2] * x, box[3] * y)

    def to_pil(self) -> Image.Image:
        """Return a new RGB image without metadata."""
        return Image.fromarray(self.pixels)


def read_photo(
    source: PhotoInput,
    *,
    name: str = "",
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    admission: Admission | None = None,
    reduce: bool = False,
) -> Photo:
    """Read one photo, in whatever form it is given.

    A ``str`` is tried, in this order, as: a data URL if it starts with ``data:``; a path if
    something exists there; base64 if it is at least 32 characters of strict base64.
    Since it may be a path, never pass untrusted text: use `decode_base64`.

    Args:
        source: a file's bytes, a path, a data URL or base64, a Pillow image, or an
            array as accepted by `colour.array_rgb`.
        name: name of the photo; only the part after the last slash is kept.
        max_bytes: maximum size of the encoded file, in bytes.
        max_pixels: maximum number of pixels, width × height.
        admission: waits until there is memory for the pixels, which the photo then holds while it lives.
        reduce: a JPEG over `decoding.REDUCE_ABOVE` pixels may be decoded at a fraction of its sides.

    Raises:
        PhotoError: for every photo that cannot be used; ``code`` is a key of
            `errors.PHOTO_CODES`. No message contains a path or the photo's name.
    """
    if isinstance(source, Image.Image):
        return _photo_of(decode_image(source, max_pixels), name)
    if isinstance(source, np.ndarray):
        return _photo_of(_read_array(source, max_pixels), name)
    if source is None or (isinstance(source, str) and not source.strip()):
        raise PhotoError("no_photo", "No photo was given. Send one.")
    if isinstance(source, str):
        data, found = _read_text(source, max_bytes)
    elif isinstance(source, Path):
        data, found = read_file(source, max_bytes), source.name
    elif isinstance(source, (bytes, bytearray, memoryview)):
        size = source.nbytes if isinstance(source, memoryview) else len(source)
        check_bytes(size, max_bytes)
        data, found = bytes(source), ""
    else:
        raise PhotoError(
            "unsupported_format",
            "A photo is given as bytes, a path, base64, a Pillow image or an array. "
            f"Received: {type(source).__name__}",
        )
    check_bytes(len(data), max_bytes)
    reservations: list[Reservation] = []

    def admit(memory: int) -> None:
        if admission is not None:
            reservations.append(admission.admit(memory, carried=len(data)))

    def turn() -> AbstractContextManager[None]:
        return nullcontext() if admission is None else admission.turn(len(data))

    try:
        pixels, full = decode(data, max_pixels, admit, reduce=reduce, turn=turn)
    except BaseException:
        for reservation in reservations:
            reservation.release()
        raise
    photo = Photo(pixels, hashlib.sha256(data).hexdigest(), _base_name(name or found), full)
    for reservation in reservations:
        reservation.bind(photo)
    return photo


def decode_base64(text: str, *, max_bytes: int | None = None) -> bytes:
    """Decode a data URL or base64 text.

    White space is skipped, the URL-safe alphabet is accepted and missing padding
    is added; anything else that is not base64 is refused. A data URL may be percent-encoded.

    Raises:
        PhotoError: ``bad_base64``; ``empty`` for no bytes; ``too_many_bytes`` for
            more than ``max_bytes`` (for base64, before decoding).
    """
    text = text.strip()
    if text[:5].lower() == "data:":
        header, comma, text = text.partition(",")
        if not comma:
            raise PhotoError("bad_base64", "The data URL does not have the form data:image/…;base64,…")
        if not unquote(header).rstrip().lower().endswith(";base64"):
            try:
                data = unquote_to_bytes(text)
            except UnicodeEncodeError:  # half of a surrogate pair
                raise _not_base64() from None
            check_bytes(len(data), max_bytes)
            return data
        if "%" in text:
            text = unquote(text)
    text = "".join(text.split())
    if max_bytes is not None:
        check_bytes(len(text.rstrip("=")) * 3 // 4, max_bytes)
    try:
        data = base64.b64decode(text.translate(_URL_SAFE) + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise _not_base64() from None
    check_bytes(len(data), max_bytes)
    return data


def _not_base64() -> PhotoError:
    return PhotoError(
        "bad_base64", "The text is not valid base64. Send the file's bytes as base64 or as a data URL."
    )


def encode_jpeg(pixels: Pixels, quality: int = 92) -> bytes:
    """Encode uint8 (height, width, 3) pixels as a JPEG (4:2:0) without metadata; ``quality`` is 1 to 95."""
    return _save(pixels, "JPEG", quality=quality)


def encode_png(pixels: Pixels) -> bytes:
    """Encode uint8 (height, width, 3) pixels as a PNG: lossless, without metadata."""
    return _save(pixels, "PNG")


def sample_encoding(pixels: Pixels) -> tuple[bytes, str]:
    """Encode a picture as it is kept as a flag's sample; return the bytes and their hex SHA-256.

    JPEG at quality 95 with full colour resolution is near enough to lossless for
    training, at about a quarter of a PNG's size. The same pixels give the same bytes with the same
    version of libjpeg-turbo. A picture with a side too long for JPEG becomes a PNG.
    """
    if max(pixels.shape) > _MAX_JPEG_SIDE:
        data = encode_png(pixels)
    else:
        data = _save(pixels, "JPEG", quality=95, subsampling="4:4:4")
    return data, hashlib.sha256(data).hexdigest()


def _save(pixels: Pixels, kind: str, **options: Any) -> bytes:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(
            f"Pixels must be uint8 (height, width, 3). Received: shape={pixels.shape}, dtype={pixels.dtype}"
        )
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _photo_of(pixels: Pixels, name: str) -> Photo:
    digest = hashlib.sha256(f"{pixels.shape[0]}x{pixels.shape[1]}x3\n".encode())
    digest.update(pixels.data)
    return Photo(pixels, digest.hexdigest(), _base_name(name))


def _read_array(array: npt.NDArray[Any], max_pixels: int) -> Pixels:
    if array.size == 0:
        raise PhotoError("empty", f"The array holds no pixels. Received: shape={array.shape}")
    if array.ndim >= 2:
        check_size(array.shape[1], array.shape[0], max_pixels)
    try:
        return array_rgb(array)
    except ValueError as error:
        raise PhotoError("unsupported_format", str(error)) from None


def _read_text(text: str, max_bytes: int) -> tuple[bytes, str]:
    if text.lstrip()[:5].lower() == "data:":
        return decode_base64(text, max_bytes=max_bytes), ""
    if len(text) <= _MAX_PATH:
        path = Path(text)
        try:
            path.stat()
        except (OSError, ValueError):  # ValueError: a NUL in the text
            pass
        else:
            return read_file(path, max_bytes), path.name
    joined = "".join(text.splitlines()).strip()
    if len(joined) >= _MIN_BASE64 and len(joined) % 4 == 0 and _BASE64.fullmatch(joined):
        return decode_base64(joined, max_bytes=max_bytes), ""
    raise PhotoError("not_found", "There is no file at this path, nor is the text a data URL or base64.")


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a file, but at most one byte more than ``max_bytes``.

    Raises:
        PhotoError: the file is missing, not an ordinary file, empty or too large, or cannot be opened.
    """
    # "from None" throughout: the original errors contain the path.
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PhotoError("unreadable", "The path is a folder. Give the path of one photo.")
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError("unreadable", "The path is not an ordinary file. Give the path of one photo.")
        check_bytes(status.st_size, max_bytes)
        with path.open("rb") as file:
            return file.read(max_bytes + 1)  # the file may have grown since
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise PhotoError("not_found", "There is no file at this path.") from None
    except OSError:
        raise PhotoError("unreadable", "The file cannot be opened. Check its permissions.") from None


def check_bytes(size: int, max_bytes: int | None) -> None:
    """Raise `PhotoError` ``empty`` or ``too_many_bytes`` if a file of ``size`` bytes is not acceptable."""
    if size == 0:
        raise PhotoError("empty", "The photo has zero bytes. Send it again.")
    if max_bytes is not None and size > max_bytes:
        raise PhotoError(
            "too_many_bytes",
            f"The photo has {size:,} bytes; at most {max_bytes:,} are accepted. Send a smaller copy.",
        )


def _base_name(name: str) -> str:
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:255]
