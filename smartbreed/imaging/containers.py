"""The container around a picture: what may be left out of a file that its side data would cost.

Metadata that is broken, or larger than a decoder accepts, is no reason to refuse a photo. Whatever can cost
more time than its bytes suggest is counted here before anything is decoded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from smartbreed.core.errors import PhotoError

#: Most scans of a JPEG. Encoders write up to about 10; each costs a pass over all of its pixels.
MOST_SCANS = 100
#: Most chunks of a PNG. Encoders write 8 kB and more a chunk.
MOST_CHUNKS = 20_000
#: Longest ancillary chunk of a PNG that is kept, and most bytes that its colour profile may unpack to;
#: Pillow refuses a file with more.
_MOST_SIDE_DATA = 1_000_000
#: Ancillary chunks that change how pixels look or which side is up, with their length where it is fixed.
_LOOKS = {b"tRNS": None, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"iCCP": None, b"eXIf": None, b"iTXt": None}
_PNG_HEAD = 8
_SOS = 0xDA


def check_work(kind: str, data: bytes) -> None:
    """Refuse a file whose decoding would take far longer than one of its size should.

    Raises:
        PhotoError: ``damaged``.
    """
    if kind == "JPEG":
        start = _first_scan(data)
        end = data.find(b"\xff\xd9", start)
        if data.count(b"\xff\xda", start, end if end >= 0 else len(data)) > MOST_SCANS:
            raise PhotoError(
                "damaged",
                f"The JPEG is made of more than {MOST_SCANS} scans, which no camera does. "
                "Open it in a picture viewer and save a new copy.",
            )
    elif kind == "PNG" and sum(1 for _ in _chunks(data, MOST_CHUNKS + 1)) > MOST_CHUNKS:
        raise PhotoError(
            "damaged",
            f"The PNG is made of more than {MOST_CHUNKS:,} chunks, which no program writes. "
            "Open it in a picture viewer and save a new copy.",
        )


def without_side_data(kind: str, data: bytes) -> bytes:
    """The file without side data that may have cost it, for a second try; the same bytes if there is none."""
    if kind == "PNG":
        return _plain_png(data)
    if kind == "JPEG":
        return _plain_jpeg(data)
    return data


def _chunks(data: bytes, most: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk of a PNG that is there in full, ``most`` at most."""
    at = _PNG_HEAD
    for _ in range(most):
        if at + 12 > len(data):
            return
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 12 + length
        if end > len(data):
            return
        yield data[at + 4 : at + 8], at, end
        at = end


def _plain_png(data: bytes) -> bytes:
    kept, at = [data[:_PNG_HEAD]], _PNG_HEAD
    for kind, start, end in _chunks(data, MOST_CHUNKS):
        critical = not kind[0] & 0x20
        if critical or _is_sound(kind, data[start:end]):
            kept.append(data[start:end])
        at = end
    return b"".join((*kept, data[at:]))


def _is_sound(kind: bytes, chunk: bytes) -> bool:
    body = chunk[8:-4]
    if kind not in _LOOKS or len(body) > _MOST_SIDE_DATA or _LOOKS[kind] not in (None, len(body)):
        return False
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        return False
    if kind == b"iCCP":
        unpacked = zlib.decompressobj()
        try:
            profile = unpacked.decompress(body[body.index(0) + 2 :], _MOST_SIDE_DATA)
        except (ValueError, zlib.error):
            return False
        return bool(profile) and unpacked.eof
    return kind != b"iTXt" or body.startswith(b"XML:com.adobe.xmp\0\0")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG before its first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == _SOS:
            return
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        end = at + 2 if alone else at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        yield marker, at, end
        at = end


def _first_scan(data: bytes) -> int:
    return min(max((end for _, _, end in _segments(data)), default=2), len(data))


def is_progressive(data: bytes) -> bool:
    """Whether a JPEG comes in scans over the whole picture."""
    return any(marker == 0xC2 for marker, _, _ in _segments(data))


def _plain_jpeg(data: bytes) -> bytes:
    kept = [data[:2]]
    at = 2
    for marker, start, end in _segments(data):
        segment = data[start:end]
        if not 0xE0 <= marker <= 0xEF or _says_how_it_looks(marker, segment[4:]):
            kept.append(segment)
        at = end
    return b"".join((*kept, data[at:]))


def _says_how_it_looks(marker: int, body: bytes) -> bool:
    if marker == 0xE1:
        return body.startswith((b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"))
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0") and len(body) > 14
    return marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12


def ends_without_marker(jpeg: bytes) -> bool:
    """Whether a JPEG stops before the marker that ends it; its picture may be whole all the same."""
    return not jpeg.rstrip(b"\0").endswith(b"\xff\xd9")


def with_end_marker(data: bytes, cut: int = 0) -> bytes:
    """A JPEG without its last ``cut`` bytes, ended by the marker for it."""
    return (data[:-cut] if cut else data).removesuffix(b"\xff") + b"\xff\xd9"
