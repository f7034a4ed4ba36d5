"""Check what a picture's container would cost to decode, and strip side data that makes decoding fail.

Metadata that is broken, or larger than a decoder accepts, is no reason to refuse a photo. Anything that can
take more time than its bytes suggest is counted here before the file is decoded.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.isobmff import excess

#: Maximum number of scans of a JPEG. Encoders write up to about 10; each costs a pass over all pixels.
MOST_SCANS = 100
#: Maximum number of chunks of a PNG, or of a WebP, where each frame is one. Encoders write 8 kB and more
#: per chunk of a PNG.
MOST_CHUNKS = 20_000
#: Maximum number of segments of a JPEG, and of bytes between those before its first scan. Pillow reads these
#: in a Python loop.
MOST_SEGMENTS = 10_000
#: Maximum number of segments over which the EXIF of a JPEG is spread. Pillow copies all before for each.
MOST_EXIF = 100
#: Maximum number of blocks before a GIF's first picture: 4,000 comments of 255 bytes are a megabyte.
MOST_BLOCKS = 4_000
#: Maximum number of entries in a TIFF directory (EXIF is one), and of strips or tiles in a TIFF.
MOST_ENTRIES, MOST_STRIPS = 5_000, 100_000
#: Maximum number of compressed profiles and texts in a PNG of which all side data is kept. Pillow unpacks
#: each, to a megabyte at most.
MOST_COMPRESSED = 50
#: Maximum number of places in a HEIC or AVIF that look like EXIF.
MOST_DIRECTORIES = 100
#: Bytes that the values of a directory may take beyond twice the file size. Real values do not share bytes,
#: so they take less than the file; a hostile directory refers to the same megabyte 5,000 times.
_SPARE = 1_000_000
#: Size in bytes of one value of each TIFF type, from type 1 on.
_VALUE_SIZES = (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324
#: All headers that Pillow accepts. It takes a directory for one of BigTIFF if the third byte is 43.
_TIFF_HEADERS = re.compile(rb"(?:II|MM)(?:[*+]\0|\0[*+])")
_BIG = 43
_EXIF = b"Exif\0\0"
#: Maximum number of prefixes of EXIF. Pillow copies the rest of it for each.
_MOST_PREFIXES = 4
#: Longest ancillary chunk of a PNG that is kept, and longest unpacked colour profile, in bytes; Pillow
#: refuses a file with more.
_MOST_SIDE_DATA = 1_000_000
#: Ancillary PNG chunks that affect colours or orientation → length of their body; None if it varies.
_LOOKS = {b"tRNS": None, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"iCCP": None, b"eXIf": None, b"iTXt": None}
_COMPRESSED = {b"iCCP", b"zTXt", b"iTXt"}
_PNG_HEAD = 8
#: Bytes of a colour profile's header and tag table, of which at most 100 tags are read.
_PROFILE_TABLE = 132 + 12 * 100
_EOI, _SOS, _APP1 = 0xD9, 0xDA, 0xE1
#: A marker before a JPEG's first scan; and one after it, where restart markers are part of the pixels' data.
_MARKER, _LATER_MARKER = re.compile(rb"\xff[^\0\xff]"), re.compile(rb"\xff[^\0\xff\xd0-\xd7]")
#: Markers that neither Pillow nor libjpeg skips by a length: what follows may be another marker.
_ALONE = {*range(0xC0), 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}
#: Bytes between segments, in place of a marker.
_JUNK = 0


def check_work(kind: str, data: bytes) -> None:
    """Refuse a file that would take far longer to decode than its size suggests.

    Raises:
        PhotoError: ``damaged``.
    """
    if kind == "JPEG":
        _check_jpeg(data)
    elif kind in ("PNG", "WebP"):
        chunks = _riff_chunks if kind == "WebP" else _chunks
        if sum(1 for _ in chunks(data, MOST_CHUNKS + 1)) > MOST_CHUNKS:
            raise _made_of(kind, MOST_CHUNKS, "chunks")
    elif kind == "GIF" and sum(1 for _ in _blocks(data, MOST_BLOCKS + 1)) > MOST_BLOCKS:
        raise _made_of(kind, MOST_BLOCKS, "blocks")
    elif kind == "TIFF":
        _check_directory(kind, data)
    elif kind in ("HEIC", "AVIF"):
        if found := excess(data):
            raise _made_of(kind, found[1], found[0])
        # Their decoders read EXIF when they open a file, wherever it is.
        for number, header in enumerate(_TIFF_HEADERS.finditer(data)):
            if number == MOST_DIRECTORIES:
                raise _made_of(kind, MOST_DIRECTORIES, "directories")
            _check_directory(kind, memoryview(data)[header.start() :])


def _check_jpeg(data: bytes) -> None:
    steps = exif = scans = 0
    for marker, start, end in _segments(data):
        steps += end - start if marker == _JUNK else 1
        if steps > MOST_SEGMENTS:
            raise _made_of("JPEG", MOST_SEGMENTS, "segments")
        exif += marker == _APP1 and data.startswith(_EXIF, start + 4)
        if exif > MOST_EXIF:
            raise _made_of("JPEG", MOST_EXIF, "segments of EXIF")
    for number, marker in enumerate(_later_markers(data)):
        if number == MOST_SEGMENTS:
            raise _made_of("JPEG", MOST_SEGMENTS, "segments")
        scans += marker == _SOS
        if scans > MOST_SCANS:
            raise PhotoError(
                "damaged",
                f"The JPEG has more than {MOST_SCANS} scans, more than any camera writes. "
                "Open it in a picture viewer and save a new copy.",
            )


def _made_of(kind: str, most: int, what: str) -> PhotoError:
    return PhotoError(
        "damaged",
        f"The {kind} has more than {most:,} {what}, more than any program writes. "
        "Open it in a picture viewer and save a new copy.",
    )


def _check_directory(kind: str, tiff: bytes | memoryview) -> None:
    most = MOST_STRIPS if kind == "TIFF" else len(tiff)
    entries, values, strips = directory_work(tiff)
    if entries > MOST_ENTRIES or values > 2 * len(tiff) + _SPARE or strips > most:
        raise PhotoError(
            "damaged",
            f"The {kind} holds more tags, strips or tiles than any program writes. "
            "Open it in a picture viewer and save a new copy.",
        )


def directory_work(tiff: bytes | memoryview) -> tuple[int, int, int]:
    """Return the cost of reading the first directory of a TIFF (or EXIF).

    Returns:
        Number of entries, bytes of their values, and number of strips or tiles; zeros if it is not a TIFF.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None:
        return 0, 0, 0
    try:
        big = tiff[2] == _BIG
        at = struct.unpack_from(order + ("Q" if big else "I"), tiff, 8 if big else 4)[0]
        entries = struct.unpack_from(order + ("Q" if big else "H"), tiff, at)[0]
    except (IndexError, struct.error, OverflowError):
        return 0, 0, 0
    at += 8 if big else 2
    form = struct.Struct(order + ("HHQ8x" if big else "HHI4x"))
    entries = min(entries, (len(tiff) - at) // form.size)
    values = strips = 0
    if entries <= MOST_ENTRIES:
        for tag, kind, count in form.iter_unpack(tiff[at : at + entries * form.size]):
            size = _VALUE_SIZES[kind - 1] if 0 < kind <= len(_VALUE_SIZES) else 0
            values += min(size * count, len(tiff))
            if tag in (_STRIP_OFFSETS, _TILE_OFFSETS):
                strips = max(strips, count)
    return entries, values, strips


def without_pipelines(profile: bytes) -> bytes:
    """Rename the pipelines (``D2B…`` tags) of a colour profile so that they are ignored; all else stays.

    A pipeline may have any number of steps, and 20,000 take minutes. A profile with one also has a table or
    curves.
    """
    return re.sub(rb"D2B(?=[0-3])", b"xxx", profile[:_PROFILE_TABLE]) + profile[_PROFILE_TABLE:]


def is_costly_exif(exif: bytes) -> bool:
    """Return whether reading a picture's EXIF would take far longer than its length suggests."""
    tiff = exif
    for _ in range(_MOST_PREFIXES):
        tiff = tiff.removeprefix(_EXIF)
    if tiff.startswith(_EXIF):
        return True
    entries, values, _ = directory_work(tiff)
    return entries > MOST_ENTRIES or values > 2 * len(tiff) + _SPARE


def _blocks(data: bytes, most: int) -> Iterator[int]:
    """Yield the offset of each block and sub-block before a GIF's first picture, at most ``most``."""
    at = 13 + (3 << ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)
    inside = False
    for _ in range(most):
        if at >= len(data) or (not inside and data[at] in b",;"):
            return
        yield at
        if inside:
            inside = data[at] != 0
            at += 1 + data[at]
        else:
            inside = data[at] == 0x21
            at += 2 if inside else 1


def is_crowded(kind: str, data: bytes) -> bool:
    """Return whether a file's side data would take far longer to unpack than its length suggests."""
    if kind != "PNG":
        return False
    return sum(name in _COMPRESSED for name, _, _ in _chunks(data, MOST_CHUNKS)) > MOST_COMPRESSED


def without_side_data(kind: str, data: bytes) -> bytes:
    """Strip side data that makes decoding fail or take long; return the same bytes if there is none."""
    if kind == "PNG":
        return _plain_png(data)
    if kind == "JPEG":
        return _plain_jpeg(data)
    return data


def _chunks(data: bytes, most: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each complete chunk of a PNG, at most ``most``."""
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


def _riff_chunks(data: bytes, most: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk of a WebP, at most ``most``."""
    at = 12
    for _ in range(most):
        if at + 8 > len(data):
            return
        end = at + 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1)
        yield data[at : at + 4], at, end
        at = end


def _plain_png(data: bytes) -> bytes:
    kept, at = [data[:_PNG_HEAD]], _PNG_HEAD
    seen: set[bytes] = set()
    for kind, start, end in _chunks(data, MOST_CHUNKS):
        critical = not kind[0] & 0x20
        stays = critical or (kind not in seen and _is_sound(kind, data[start:end]))
        if stays:
            kept.append(data[start:end])
        if stays or kind == b"iCCP":  # only one is unpacked, even to see whether it is sound
            seen.add(kind)
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
    """Yield marker, start and end of each segment before a JPEG's first scan, as decoders find them.

    Bytes between two segments, which decoders skip, are yielded as `_JUNK`.
    """
    at = 2
    while found := _MARKER.search(data, at):
        start = found.start()
        if start > at:
            yield _JUNK, at, start
        marker = data[start + 1]
        if marker == _SOS:
            return
        at = _end(data, marker, start)
        yield marker, start, at


def _end(data: bytes, marker: int, start: int) -> int:
    """Return the end of the segment that starts with a marker; it may be beyond the end of the file."""
    if marker in _ALONE:
        return start + 2
    return start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))


def _first_scan(data: bytes) -> int:
    return min(max((end for _, _, end in _segments(data)), default=2), len(data))


def _later_markers(data: bytes) -> Iterator[int]:
    """Yield the markers of a JPEG's first picture from its first scan on.

    What a segment contains is skipped, as libjpeg does: a comment may hold bytes that look like the end.
    """
    at = _first_scan(data)
    while (found := _LATER_MARKER.search(data, at)) and (marker := data[found.start() + 1]) != _EOI:
        yield marker
        at = _end(data, marker, found.start())


def scans_of(data: bytes) -> int:
    """Count the scans of a JPEG's first picture; 0 if the file ends before the first scan."""
    return sum(marker == _SOS for marker in _later_markers(data))


def is_run_length_coded(bmp: bytes) -> bool:
    """Return whether a BMP's pixels are run-length coded, which Pillow decodes in a Python loop."""
    return len(bmp) >= 34 and bmp[30:34] not in (b"\0\0\0\0", b"\3\0\0\0", b"\6\0\0\0")


def is_progressive(data: bytes) -> bool:
    """Return whether a JPEG is progressive: stored as scans over the whole picture."""
    return any(marker == 0xC2 for marker, _, _ in _segments(data))


def _plain_jpeg(data: bytes) -> bytes:
    kept = [data[:2]]
    at = 2
    for marker, start, end in _segments(data):
        segment = data[start:end]
        if marker != _JUNK and (not 0xE0 <= marker <= 0xEF or _says_how_it_looks(marker, segment[4:])):
            kept.append(segment)
        at = end
    return b"".join((*kept, data[at:]))


def _says_how_it_looks(marker: int, body: bytes) -> bool:
    if marker == _APP1:
        return body.startswith((b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"))
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0") and len(body) > 14
    return marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12


def ends_without_marker(jpeg: bytes) -> bool:
    """Return whether a JPEG lacks its end marker; its picture may be complete all the same."""
    return not jpeg.rstrip(b"\0").endswith(b"\xff\xd9")


def with_end_marker(data: bytes, cut: int = 0) -> bytes:
    """Cut the last ``cut`` bytes off a JPEG and append the end marker."""
    return (data[:-cut] if cut else data).removesuffix(b"\xff") + b"\xff\xd9"
