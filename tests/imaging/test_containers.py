"""Side data never costs a person the photo, and no file takes more time than its bytes suggest."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.photos import blobs

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.containers import MOST_CHUNKS, MOST_SCANS
from smartbreed.imaging.photo import read_photo

PICTURE = blobs(1, 150, 110)


def encoded(kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(PICTURE).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def with_chunk(extra: bytes) -> bytes:
    """A PNG with a chunk after its header."""
    plain = encoded("PNG")
    return plain[:33] + extra + plain[33:]


def refusal(data: bytes) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        read_photo(data)
    return caught.value


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0hello", crc=1),
        chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0", crc=2),
        chunk(b"pHYs", b"\0" * 9, crc=3),
        chunk(b"pHYs", b"\0\0\0"),
        chunk(b"gAMA", b"\0"),
        chunk(b"cHRM", b"\0" * 5),
        chunk(b"tIME", b""),
        chunk(b"iCCP", b"big\0\0" + zlib.compress(bytes(2_000_000))),
        chunk(b"iCCP", b"no end of the name"),
        chunk(b"iCCP", b"broken\0\0not zlib"),
        chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000))),
        chunk(b"tEXt", b"k\0" + b"x" * 3_000_000),
        chunk(b"acTL", b"\0\0"),
        chunk(b"fcTL", b""),
        chunk(b"quux", bytes(10), crc=4),
    ],
)
def test_a_png_is_read_whatever_its_ancillary_chunks_hold(extra: bytes) -> None:
    assert np.array_equal(read_photo(with_chunk(extra)).pixels, PICTURE)


def test_what_changes_the_look_is_kept_when_something_else_is_broken() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = encoded("PNG", exif=exif)
    broken = sideways[:33] + chunk(b"tEXt", b"x", crc=1) + sideways[33:]
    assert np.array_equal(read_photo(broken).pixels, read_photo(sideways).pixels)
    assert read_photo(broken).width == PICTURE.shape[0]


def test_a_png_with_a_broken_picture_is_refused() -> None:
    plain = bytearray(encoded("PNG"))
    plain[plain.index(b"IDAT") + 20] ^= 0xFF
    assert refusal(bytes(plain)).code in ("damaged", "truncated")


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_marker(progressive: bool, subsampling: int) -> None:
    whole = encoded("JPEG", quality=90, progressive=progressive, subsampling=subsampling)
    assert np.array_equal(read_photo(whole[:-2]).pixels, read_photo(whole).pixels)
    assert np.array_equal(read_photo(whole[:-1]).pixels, read_photo(whole).pixels)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_really_cut_off_is_refused(progressive: bool, share: float) -> None:
    whole = encoded("JPEG", quality=90, progressive=progressive)
    assert refusal(whole[: -int(share * len(whole))]).code == "truncated"


@pytest.mark.parametrize("colour", [("L", 200), ("RGB", (120, 90, 60))])
def test_no_jpeg_is_too_short_for_one_colour_and_one_is_for_what_it_lacks(colour: tuple[str, Any]) -> None:
    buffer = BytesIO()
    Image.new(colour[0], (2000, 1500), colour[1]).save(buffer, "JPEG", quality=10, optimize=True)
    whole = buffer.getvalue()
    assert np.array_equal(read_photo(whole[:-2]).pixels, read_photo(whole).pixels)
    assert refusal(whole[: 2000 * 1500 // 64 // 8 - 1]).code == "truncated"


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF])
@pytest.mark.parametrize(
    "body", [b"", b"Adobe", b"Adobe\0d", b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0", b"MPF\0"]
)
def test_a_jpeg_is_read_whatever_its_app_segments_hold(marker: int, body: bytes) -> None:
    plain = encoded("JPEG", quality=90)
    extra = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    assert np.array_equal(read_photo(plain[:2] + extra + plain[2:]).pixels, read_photo(plain).pixels)


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes ``count`` times."""
    data = encoded("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_photo(scans(3)).pixels.shape == PICTURE.shape
    from smartbreed.imaging import decoding

    monkeypatch.setattr(decoding, "_open", lambda *_: pytest.fail("it is decoded"))
    found = refusal(scans(MOST_SCANS + 1))
    assert found.code == "damaged"
    assert "scans" in found.message


def test_thumbnails_and_further_pictures_of_a_jpeg_are_not_counted() -> None:
    plain = encoded("JPEG", quality=90)
    thumbnails = struct.pack(">BBH", 0xFF, 0xE4, 602) + b"\xff\xda\0" * 200
    photo = read_photo(plain[:2] + thumbnails + plain[2:] + encoded("JPEG") * 200)
    assert np.array_equal(photo.pixels, read_photo(plain).pixels)


def test_a_png_of_very_many_chunks_is_refused() -> None:
    found = refusal(with_chunk(chunk(b"IDAT", b"") * (MOST_CHUNKS + 1)))
    assert (found.code, "chunks" in found.message) == ("damaged", True)


@pytest.mark.parametrize("tag", [(254, 1), (50706, b"\1\4\0\0")])
def test_a_camera_raw_file_is_not_answered_from_its_preview(tag: tuple[int, Any]) -> None:
    buffer = BytesIO()
    Image.fromarray(PICTURE).save(buffer, "TIFF", tiffinfo={tag[0]: tag[1]})
    found = refusal(buffer.getvalue())
    assert (found.code, "camera raw" in found.message) == ("unsupported_format", True)


@pytest.mark.parametrize(
    "head",
    [
        b"II*\0\x10\0\0\0CR\2\0",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"FUJIFILMCCD-RAW 0201",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
    ],
)
def test_camera_raw_files_are_called_that(head: bytes) -> None:
    assert "camera raw" in refusal(head.ljust(400, b"\0")).message


def crowded_exif(values: int = 5000, size: int = 900_000) -> bytes:
    """EXIF whose many values are one and the same megabyte; reading it takes Pillow 9 s."""
    entries = b"".join(struct.pack("<HHII", 40000 + n, 2, size, 8) for n in range(values))
    header = b"II*\0" + struct.pack("<I", 8 + size)
    return header + b"a" * size + struct.pack("<H", values) + entries + b"\0\0\0\0"


def tiff_with(entries: bytes, count: int) -> bytes:
    """A TIFF with more entries in its directory."""
    plain = encoded("TIFF")
    at = struct.unpack("<I", plain[4:8])[0]
    found = struct.unpack("<H", plain[at : at + 2])[0]
    directory = struct.pack("<H", found + count) + plain[at + 2 : at + 2 + 12 * found] + entries + bytes(4)
    return plain[:4] + struct.pack("<I", len(plain)) + plain[8:] + directory


GIF_HEAD = 13 + 3 * 256
WORK = {
    "comments in a JPEG": lambda: encoded("JPEG")[:2] + b"\xff\xfe\0\2" * 20_000 + encoded("JPEG")[2:],
    "fill bytes in a JPEG": lambda: encoded("JPEG")[:2] + b"\xff" * 20_000 + encoded("JPEG")[2:],
    "comments in a GIF": lambda: encoded("GIF")[:GIF_HEAD] + b"!\xfe\1a\0" * 2000 + encoded("GIF")[GIF_HEAD:],
    "parts of a comment": lambda: (
        encoded("GIF")[:GIF_HEAD] + b"!\xfe" + b"\1a" * 5000 + b"\0" + encoded("GIF")[GIF_HEAD:]
    ),
    "junk in a GIF": lambda: encoded("GIF")[:GIF_HEAD] + b"x" * 5000 + encoded("GIF")[GIF_HEAD:],
    "tags of a TIFF": lambda: tiff_with(
        b"".join(struct.pack("<HHII", 700 + n, 1, 1, 0) for n in range(6000)), 6000
    ),
    "values of a TIFF": lambda: tiff_with(
        b"".join(struct.pack("<HHII", 40000 + n, 2, 40_000, 8) for n in range(3000)), 3000
    ),
    "strips of a TIFF": lambda: tiff_with(struct.pack("<HHII", 324, 4, 200_000, 8), 1),
    "EXIF of an AVIF": lambda: encoded("AVIF", exif=b"Exif\0\0" + crowded_exif()),
    "EXIF of a JPEG": lambda: (
        encoded("JPEG")[:2]
        + b"".join(
            b"\xff\xe1" + struct.pack(">H", 8 + len(part)) + b"Exif\0\0" + part
            for part in (crowded_exif()[at : at + 65_000] for at in range(0, 960_000, 65_000))
            if part
        )
        + encoded("JPEG")[2:]
    ),
}


@pytest.mark.parametrize("what", WORK)
def test_a_file_made_to_take_long_is_refused_before_it_is_decoded(what: str) -> None:
    error = refusal(WORK[what]())
    assert error.code == "damaged"
    assert "more" in error.message
    assert "than any program writes" in error.message


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_made_to_take_long_is_not_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    load = Image.Exif.load
    monkeypatch.setattr(Image.Exif, "load", lambda self, data: read.append(data) or load(self, data))
    crowded = crowded_exif()
    data = with_chunk(chunk(b"eXIf", crowded)) if kind == "PNG" else encoded(kind, exif=b"Exif\0\0" + crowded)
    read.clear()  # Pillow read it to write it
    assert read_photo(data).width == 150
    assert not read
