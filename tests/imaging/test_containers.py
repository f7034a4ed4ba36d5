"""Side data never costs a person the photo, and no file takes more time than its bytes suggest."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from support.photos import blobs

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.containers import MOST_CHUNKS, MOST_COMPRESSED, MOST_SCANS, MOST_SEGMENTS
from smartbreed.imaging.photo import read_photo

PICTURE = blobs(1, 150, 110)
EXIF = b"Exif\0\0"


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


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def before_the_scan(extra: bytes) -> bytes:
    """A progressive JPEG of too many scans with more bytes after its start."""
    data = scans(MOST_SCANS + 1)
    return data[:2] + extra + data[2:]


def between_scans(extra: bytes) -> bytes:
    """A progressive JPEG of too many scans with more bytes before the last ones."""
    data = scans(MOST_SCANS + 1)
    at = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    return data[:at] + extra + data[at:]


HIDDEN = {
    "behind an end in a comment": lambda: between_scans(segment(0xFE, b"\xff\xd9")),
    "behind an end in another segment": lambda: between_scans(segment(0xE5, b"a\xff\xd9b")),
    "behind an end in a segment after fill bytes": lambda: between_scans(
        b"\xff\xff" + segment(0xFE, b"\xff\xd9")
    ),
    "behind junk": lambda: before_the_scan(segment(0xE5, b"") + b"\0" + segment(0xFE, b"\xff\xd9")),
    "behind a comment of no length": lambda: before_the_scan(b"\xff\xfe\0\0" + segment(0xFE, b"\xff\xd9")),
    "behind tables": lambda: before_the_scan(b"\xff\xd9\xff\xd8" + segment(0xFE, b"\xff\xd9")),
}


@pytest.mark.parametrize("where", HIDDEN)
def test_scans_are_counted_wherever_they_hide(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from smartbreed.imaging import decoding

    monkeypatch.setattr(decoding, "_open", lambda *_: pytest.fail("it is decoded"))
    assert "scans" in refusal(HIDDEN[where]()).message


def test_what_only_looks_like_a_scan_is_not_counted() -> None:
    looks = segment(0xFE, b"\xff\xda\0" * (MOST_SCANS + 1))
    data = scans(3)
    at = data.rindex(b"\xff\xda")
    photo = read_photo(data[:at] + looks + data[at:])
    assert np.array_equal(photo.pixels, read_photo(data).pixels)
    restarts = encoded("JPEG", restart_marker_blocks=1, quality=90)
    assert b"\xff\xd0" in restarts
    assert read_photo(restarts).pixels.shape == PICTURE.shape


def test_a_jpeg_with_junk_between_its_segments_is_read() -> None:
    plain = encoded("JPEG", quality=90)
    junk = plain[:2] + segment(0xE5, b"first") + b"x\0\xff\0y" + segment(0xE5, b"second") + plain[2:]
    assert np.array_equal(read_photo(junk).pixels, read_photo(plain).pixels)
    assert np.array_equal(read_photo(junk[:-2]).pixels, read_photo(plain).pixels)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_a_png_of_very_many_compressed_chunks_is_read_without_unpacking_them(
    kind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[bytes] = []
    unpack = PngImagePlugin._safe_zlib_decompress
    monkeypatch.setattr(
        PngImagePlugin, "_safe_zlib_decompress", lambda data: unpacked.append(data) or unpack(data)
    )
    text = zlib.compress(b"\xff" * 1000)
    body = {b"iCCP": b"p\0\0" + text, b"zTXt": b"k\0\0" + text}.get(
        kind, b"XML:com.adobe.xmp\0\1\0\0\0" + text
    )
    assert np.array_equal(read_photo(with_chunk(chunk(kind, body) * 3)).pixels, PICTURE)
    assert len(unpacked) == 3, "a few are no trouble"
    unpacked.clear()
    crowd = chunk(kind, body) * (MOST_COMPRESSED + 1)
    assert np.array_equal(read_photo(with_chunk(crowd)).pixels, PICTURE)
    assert len(unpacked) <= 1


def test_a_crowd_of_texts_costs_a_png_neither_its_orientation_nor_its_colours() -> None:
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x0112] = 6
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = swapped.index(b"rXYZ"), swapped.index(b"bXYZ")
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    plain = encoded("PNG", exif=exif, icc_profile=bytes(swapped))
    texts = b"".join(
        chunk(b"zTXt", b"key%d\0\0" % n + zlib.compress(b"text")) for n in range(MOST_COMPRESSED + 1)
    )
    photo = read_photo(plain[:33] + texts + plain[33:])
    assert np.array_equal(photo.pixels, read_photo(plain).pixels)
    assert photo.width == PICTURE.shape[0]
    assert not np.array_equal(photo.pixels, read_photo(encoded("PNG", exif=exif)).pixels)


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
    "junk in a JPEG": lambda: encoded("JPEG")[:2] + segment(0xFE, b"a") + bytes(20_000) + encoded("JPEG")[2:],
    "comments behind junk in a JPEG": lambda: (
        encoded("JPEG")[:2] + segment(0xFE, b"a") + b"\0" + b"\xff\xfe\0\2" * 20_000 + encoded("JPEG")[2:]
    ),
    "comments behind an extension in a JPEG": lambda: (
        encoded("JPEG")[:2] + b"\xff\xf0" + b"\xff\xfe\0\2" * 20_000 + encoded("JPEG")[2:]
    ),
    "comments after the scan of a JPEG": lambda: (
        encoded("JPEG")[:-2] + b"\xff\xfe\0\2" * (MOST_SEGMENTS + 1) + encoded("JPEG")[-2:]
    ),
    "EXIF of a JPEG": lambda: with_segment(segment(0xE1, EXIF + b"a") * 2000),
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
}


@pytest.mark.parametrize("what", WORK)
def test_a_file_made_to_take_long_is_refused_before_it_is_decoded(what: str) -> None:
    error = refusal(WORK[what]())
    assert error.code == "damaged"
    assert "more" in error.message
    assert "than any program writes" in error.message


def small_exif(header: bytes = b"II*\0", values: int = 2000, size: int = 10_000) -> bytes:
    """EXIF of 34 kB whose values take 20 MB, with any header."""
    order = "<" if header.startswith(b"II") else ">"
    entries = b"".join(struct.pack(order + "HHII", 40000 + n, 2, size, 8) for n in range(values))
    start = header + struct.pack(order + "I", 8 + size)
    return start + b"a" * size + struct.pack(order + "H", values) + entries + bytes(4)


COSTLY = {
    "a JPEG": lambda: with_segment(segment(0xE1, EXIF + small_exif())),
    "a JPEG, in several segments": lambda: with_segment(
        b"".join(
            segment(0xE1, EXIF + crowded_exif()[at : at + 65_000])
            for at in range(0, len(crowded_exif()), 65_000)
        )
    ),
    "a JPEG, with two prefixes": lambda: with_segment(segment(0xE1, EXIF * 2 + small_exif())),
    "a JPEG, with a hundred prefixes": lambda: with_segment(segment(0xE1, EXIF * 100 + small_exif())),
    "a JPEG, after junk": lambda: with_segment(
        segment(0xE5, b"") + b"x" + segment(0xE1, EXIF + small_exif())
    ),
    "a JPEG, after a restart marker": lambda: with_segment(b"\xff\xd0" + segment(0xE1, EXIF + small_exif())),
    **{
        f"a JPEG, headed {header!r}": lambda header=header: with_segment(
            segment(0xE1, EXIF + small_exif(header))
        )
        for header in (b"MM\0*", b"MM*\0", b"II\0*", b"MM\0+")
    },
    "a PNG": lambda: with_chunk(chunk(b"eXIf", crowded_exif())),
    "a PNG, with two prefixes": lambda: with_chunk(chunk(b"eXIf", EXIF + small_exif())),
    "a PNG, as BigTIFF is headed": lambda: with_chunk(chunk(b"eXIf", small_exif(b"MM\0+"))),
    "a PNG, in its older form": lambda: with_chunk(
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n0\n" + (EXIF * 2 + small_exif()).hex().encode())
    ),
    "a WebP": lambda: encoded("WEBP", lossless=True, exif=EXIF + crowded_exif()),
    "a WebP, with two prefixes": lambda: encoded("WEBP", lossless=True, exif=EXIF * 2 + small_exif()),
}


def with_segment(extra: bytes) -> bytes:
    """A JPEG with a segment after its start, and without JFIF, whose resolution would be used instead."""
    plain = encoded("JPEG", quality=90)
    jfif = 4 + int.from_bytes(plain[4:6], "big")
    return plain[:2] + extra + plain[jfif:]


@pytest.mark.parametrize("what", COSTLY)
def test_exif_made_to_take_long_is_not_read(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = COSTLY[what]()
    read: list[object] = []
    load = Image.Exif.load
    monkeypatch.setattr(Image.Exif, "load", lambda self, data: read.append(data) or load(self, data))
    assert read_photo(data).width == 150
    assert not read


@pytest.mark.parametrize("header", [b"MM*\0", b"II\0*", b"MM\0+"])
def test_exif_of_an_avif_is_checked_whatever_its_header(header: bytes) -> None:
    data = encoded("AVIF", exif=EXIF + crowded_exif())
    at = data.index(b"II*\0")
    crowded = small_exif(header).ljust(len(crowded_exif()), b"\0")
    error = refusal(data[:at] + crowded + data[at + len(crowded) :])
    assert error.message.startswith("The AVIF holds more tags")


@pytest.mark.parametrize("prefixes", [1, 2])
def test_the_orientation_is_read_behind_any_prefixes(prefixes: int) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    exif = EXIF * (prefixes - 1) + turned.tobytes()
    for data in (
        with_segment(segment(0xE1, exif)),
        with_chunk(chunk(b"eXIf", exif)),
        encoded("WEBP", lossless=True, exif=exif),
    ):
        assert read_photo(data).width == PICTURE.shape[0]
