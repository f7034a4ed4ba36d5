"""Every file here is made on the spot; no photograph is needed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import struct
import threading
import warnings
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin
from support.processes import run

from smartbreed.core.errors import PHOTO_CODES, PhotoError
from smartbreed.imaging.photo import (
    Photo,
    decode_base64,
    encode_jpeg,
    encode_png,
    read_photo,
    sample_encoding,
)

pillow_heif.register_heif_opener()  # for saving; reading does not need it

pytestmark = pytest.mark.filterwarnings("error")

RED, GREEN, BLUE, GRAY = (220, 30, 30), (30, 200, 30), (30, 30, 220), (120, 120, 120)
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"]
LOSSLESS = {"PNG", "BMP", "TIFF"}


def quarters(height: int = 48, width: int = 64) -> np.ndarray:
    """A picture whose four corners differ, so that every turn shows."""
    pixels = np.empty((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    pixels[:h, :w], pixels[:h, w:], pixels[h:, :w], pixels[h:, w:] = RED, GREEN, BLUE, GRAY
    return pixels


def encoded(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def options(kind: str) -> dict[str, Any]:
    """The fastest or most exact way to write a format."""
    return {"lossless": True} if kind == "WEBP" else {"speed": 10} if kind == "AVIF" else {}


def same(a: np.ndarray, b: np.ndarray, within: int = 14) -> bool:
    """Equal but for what a lossy codec does; edges between colours do not count."""
    if a.shape != b.shape:
        return False
    rows, columns = (np.array([0.1, 0.25, 0.75, 0.9]) * side for side in a.shape[:2])
    places = np.ix_(rows.astype(int), columns.astype(int))
    return bool(np.abs(a[places].astype(int) - b[places]).max() <= within)


def refusal(source: Any, **limits: Any) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        read_photo(source, **limits)
    assert caught.value.code in PHOTO_CODES
    assert caught.value.status == PHOTO_CODES[caught.value.code]
    return caught.value


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    data = encoded(quarters(), kind, **options(kind))
    photo = read_photo(data, name="rex.jpg")
    assert same(photo.pixels, quarters())
    assert kind not in LOSSLESS or (photo.pixels == quarters()).all()
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.flags.c_contiguous
    assert not photo.pixels.flags.writeable
    assert (photo.width, photo.height, photo.name) == (64, 48, "rex.jpg")
    assert photo.sha256 == hashlib.sha256(data).hexdigest()
    assert (np.asarray(photo.to_pil()) == photo.pixels).all()


TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_orientation_is_applied_exactly_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # As bytes, pillow_heif also writes the turn into the container, as cameras do.
    data = encoded(quarters(), kind, exif=exif.tobytes(), **options(kind))
    assert (b"irot" in data or b"imir" in data) == (kind in ("HEIF", "AVIF") and orientation > 1)
    assert same(read_photo(data).pixels, TURNED[orientation](quarters()))
    with Image.open(BytesIO(data)) as image:  # a Pillow image is turned as its file would be
        assert same(read_photo(image).pixels, TURNED[orientation](quarters()))


def test_orientation_in_the_compressed_tiff_and_in_xmp() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(quarters(), "TIFF", exif=exif, compression="tiff_lzw")
    assert same(read_photo(data).pixels, TURNED[6](quarters()))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="8"></x:xmpmeta>'
    assert same(read_photo(encoded(quarters(), "JPEG", xmp=xmp)).pixels, TURNED[8](quarters()))
    # ISO 23008-12: in HEIC, EXIF and XMP only inform; the container's own turn is the one that counts.
    assert same(read_photo(encoded(quarters(), "HEIF", exif=exif)).pixels, quarters())
    data = encoded(quarters(), "AVIF", xmp=xmp, **options("AVIF"))
    assert same(read_photo(data).pixels, quarters())


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0\xff\xff\xff", b"x"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_malformed_exif_does_not_cost_the_photo(kind: str, exif: bytes) -> None:
    assert same(read_photo(encoded(quarters(), kind, exif=exif, **options(kind))).pixels, quarters())


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_malformed_exif_in_a_container_does_not_cost_the_photo(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a mark to find"
    data = encoded(quarters(), kind, exif=exif, **options(kind))
    at = data.find(b"a mark to find")
    header = max(data.rfind(b"II*\0", 0, at), data.rfind(b"MM\0*", 0, at))
    assert header > 0
    for junk in (b"\xff" * 8, b"II*\0\xff\xff\xff\xff"):
        broken = data[:header] + junk + data[header + 8 :]
        assert same(read_photo(broken).pixels, quarters())


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_out_of_range_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert same(read_photo(encoded(quarters(), "JPEG", exif=exif)).pixels, quarters())


def test_cmyk_comes_out_in_its_colours() -> None:
    cmyk = Image.fromarray(quarters()).convert("CMYK")
    expected = np.asarray(cmyk.convert("RGB"))
    assert same(read_photo(encoded(cmyk, "TIFF")).pixels, expected, 1)
    data = encoded(cmyk, "JPEG", quality=95)  # Pillow stores it inverted, as Adobe does
    assert same(read_photo(data).pixels, expected)
    assert read_photo(data).pixels[5, 5, 0] > 150 > read_photo(data).pixels[5, 5, 2]


def ramp16() -> np.ndarray:
    return np.linspace(0, 65535, 64 * 48).reshape(48, 64).round().astype(np.uint16)


def test_16_bit_gray_is_scaled_not_clipped() -> None:
    expected = np.rint(ramp16() / 257)
    for kind, order in (("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")):
        gray = read_photo(encoded(ramp16().astype(order), kind)).pixels
        assert np.abs(gray[..., 0] - expected).max() <= 1
        assert (gray[..., :1] == gray).all()
    wide = Image.fromarray(ramp16().astype(np.int32))
    assert np.abs(read_photo(encoded(wide, "TIFF")).pixels[..., 1] - expected).max() <= 1


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_16_bit_rgb() -> None:
    row = b"\0" + struct.pack(">3H", 65535, 32768, 256) * 16
    pixel = read_photo(png(16, 16, 16, 2, row * 16)).pixels[3, 3]
    assert np.abs(pixel.astype(int) - (255, 128, 1)).max() <= 1


def test_16_bit_gray_with_a_transparent_value() -> None:
    clear = struct.pack(">I4sHI", 2, b"tRNS", 1000, zlib.crc32(b"tRNS" + struct.pack(">H", 1000)))
    row = b"\0" + struct.pack(">2H", 1000, 2000) * 8
    pixels = read_photo(png(16, 16, 16, 0, row * 16, clear)).pixels
    assert pixels[0, :2, 0].tolist() == [255, 8]


@pytest.mark.parametrize("scale", [1.0, 255.0, 65535.0, 1e9])
def test_float_tiff(scale: float) -> None:
    values = (np.linspace(0, 1, 64 * 48).reshape(48, 64) * scale).astype(np.float32)
    values[0, 0] = np.nan
    pixels = read_photo(encoded(Image.fromarray(values), "TIFF")).pixels
    assert np.abs(pixels[..., 0] - np.linspace(0, 255, 64 * 48).reshape(48, 64)).max() <= 1


def test_one_bit_and_gray() -> None:
    gray = Image.fromarray(quarters()).convert("L")
    assert same(read_photo(encoded(gray, "PNG")).pixels, np.asarray(gray.convert("RGB")), 0)
    one = gray.convert("1")
    for data in (encoded(one, "PNG"), encoded(one, "TIFF", compression="group4")):
        assert (read_photo(data).pixels == np.asarray(one.convert("RGB"))).all()


def test_lab_and_ycbcr() -> None:
    image = Image.fromarray(quarters())
    lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    assert same(read_photo(encoded(lab.apply(image), "TIFF")).pixels, quarters(), 10)
    ycbcr = image.convert("YCbCr")
    assert same(read_photo(ycbcr).pixels, quarters(), 3)
    assert same(read_photo(encoded(ycbcr, "TIFF", compression="jpeg", quality=95)).pixels, quarters())
    assert refusal(encoded(ycbcr, "TIFF")).code == "unsupported_format"


@pytest.mark.parametrize(
    "mode", ["RGBA", "LA", "P", "PA", "La", "RGBa", "1", "L", "CMYK", "HSV", "F", "I", "I;16"]
)
def test_every_pillow_mode(mode: str) -> None:
    image = Image.fromarray(quarters())
    if mode in ("PA", "La", "RGBa"):
        image = image.convert({"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    elif mode == "I;16":
        image = Image.fromarray(ramp16())
    else:
        image = image.convert(mode)
    photo = read_photo(image)
    assert photo.pixels.shape == (48, 64, 3)
    assert mode in ("P", "1", "PA") or photo.pixels.std() > 20


def test_transparency_is_laid_on_white() -> None:
    rgba = np.dstack([quarters(), np.full((48, 64), 255, np.uint8)])
    rgba[:24, :32, 3] = 0
    rgba[:24, 32:, 3] = 128
    for kind, lossless in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        pixels = read_photo(encoded(rgba, kind, **lossless)).pixels
        assert pixels[2, 2].tolist() == [255, 255, 255]
        assert np.abs(pixels[2, 60].astype(int) - (np.array(GREEN) + 255) / 2).max() <= 2
        assert pixels[40, 2].tolist() == list(BLUE)
    la = Image.merge("LA", [Image.new("L", (9, 9), 10), Image.new("L", (9, 9), 0)])
    assert (read_photo(encoded(la, "PNG")).pixels == 255).all()


def test_palettes_with_transparency() -> None:
    flat = Image.fromarray(quarters()).quantize(8)
    corner = flat.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        pixels = read_photo(encoded(flat, kind, transparency=corner)).pixels
        assert pixels[2, 2].tolist() == [255, 255, 255]
        assert same(pixels[24:], quarters()[24:])
    each = bytes(0 if i == corner else 255 for i in range(8))
    assert read_photo(encoded(flat, "PNG", transparency=each)).pixels[2, 2].tolist() == [255, 255, 255]
    rgb = read_photo(encoded(quarters(), "PNG", transparency=RED)).pixels
    assert rgb[2, 2].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_only_the_first_frame_counts(kind: str) -> None:
    frames = [Image.fromarray(np.full((48, 64, 3), c, np.uint8)) for c in (RED, GREEN, BLUE)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options(kind))
    assert np.abs(read_photo(data).pixels[20, 20].astype(int) - RED).max() <= 6


def test_icc_profiles_are_applied_and_bad_ones_ignored() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (read_photo(encoded(quarters(), "PNG", icc_profile=srgb)).pixels == quarters()).all()
    swapped = bytearray(srgb)  # red and blue primaries change places
    red, blue = srgb.index(b"rXYZ"), srgb.index(b"bXYZ")
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    pixels = read_photo(encoded(quarters(), "PNG", icc_profile=bytes(swapped))).pixels
    assert np.abs(pixels[2, 2].astype(int) - np.array(RED)[::-1]).max() <= 3
    for broken in (b"", b"x" * 500, srgb[:200], srgb[:-40] + b"\xff" * 40, b"\0" * 5_000):
        assert read_photo(encoded(quarters(), "PNG", icc_profile=broken)).pixels.shape == (48, 64, 3)
    gray = Image.fromarray(quarters()).convert("L")  # a profile of another colour space
    assert same(read_photo(encoded(gray, "PNG", icc_profile=srgb)).pixels, np.asarray(gray.convert("RGB")), 0)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_short_is_called_truncated(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(noise, kind, **options(kind))
    for share in (0.05, 0.5, 0.9):
        assert refusal(data[: int(len(data) * share)]).code == "truncated", share


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_a_whole_file_with_a_broken_middle_is_called_damaged(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(noise, kind, **options(kind))
    start = data.find(b"mdat") + 4 if kind in ("AVIF", "HEIF") else 20 if kind == "JPEG" else 30
    end = len(data) - 20
    assert refusal(data[:start] + b"\x5a" * (end - start) + data[end:]).code == "damaged"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (None, "no_photo"),
        ("", "no_photo"),
        ("  \n", "no_photo"),
        (b"", "empty"),
        (memoryview(b""), "empty"),
        (np.zeros((0, 5, 3), np.uint8), "empty"),
        (b"just some text", "unsupported_format"),
        (b"%PDF-1.7 ...", "unsupported_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        (b"8BPS\0\1" + bytes(99), "unsupported_format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unsupported_format"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "unsupported_format"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff", "truncated"),
        (b"BM", "truncated"),
        (b"II*\0", "truncated"),
        (42, "unsupported_format"),
        (np.zeros(64, np.uint8), "unsupported_format"),
        (np.zeros((64, 64, 5), np.uint8), "unsupported_format"),
        (np.zeros((64, 64, 3), complex), "unsupported_format"),
        (np.full((64, 64), "x"), "unsupported_format"),
        ("no/such/photo.jpg", "not_found"),
        ("bad\0path", "not_found"),
        ("x.y" * 5_000, "not_found"),
        (Path("bad\0path"), "not_found"),
        ("data:image/png,notbase64", "unsupported_format"),
        ("data:image/png;base64", "bad_base64"),
        ("data:image/png;base64,???", "bad_base64"),
        ("data:image/png;base64,", "empty"),
        ("QUJD" * 20, "unsupported_format"),
    ],
)
def test_what_is_no_photo_is_refused_with_its_cause(source: Any, code: str) -> None:
    assert refusal(source).code == code


def test_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "Jane Doe"
    secret.mkdir()
    file = secret / "rex.png"
    file.write_bytes(encoded(quarters(), "PNG"))
    for source in (file, str(file)):
        photo = read_photo(source)
        assert (photo.name, photo.width) == ("rex.png", 64)
    assert read_photo(file, name="C:\\photos\\my\u202e dog.png").name == "my dog.png"
    zipped = secret / "a.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(file)
    assert "ZIP" in refusal(zipped).message
    (secret / "empty.png").touch()
    os.mkfifo(secret / "pipe")
    causes = [(secret, "unreadable"), (secret / "empty.png", "empty"), (secret / "no.png", "not_found")]
    causes += [(file / "x", "not_found"), (secret / "pipe", "unreadable")]
    for path, code in causes:
        error = refusal(path)
        assert error.code == code
        assert "Jane" not in error.message
        assert error.__cause__ is None

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(file).code == "unreadable"
    assert "rex" not in refusal(file).message


def test_bytes_over_the_limit_are_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(quarters(), "PNG")
    file = tmp_path / "rex.png"
    file.write_bytes(data)
    text = base64.b64encode(data).decode()
    monkeypatch.setattr(Path, "open", None)
    monkeypatch.setattr(base64, "b64decode", None)
    limit = len(data) - 1
    url = "data:image/png;base64," + text
    for source in (data, bytearray(data), memoryview(data), file, str(file), text, url):
        error = refusal(source, max_bytes=limit)
        assert error.code == "too_many_bytes"
        assert f"{limit:,}" in error.message


@pytest.mark.parametrize("kind", FORMATS)
def test_limits_on_pixels_hold_before_decoding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(quarters(), kind, **options(kind))
    assert read_photo(data, max_pixels=64 * 48).width == 64
    small = encoded(quarters(16, 7), kind, **options(kind))
    monkeypatch.setattr("smartbreed.imaging.decoding.upright_rgb", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load_prepare", None)
    error = refusal(data, max_pixels=64 * 48 - 1)
    assert error.code == "too_many_pixels"
    assert "64 × 48" in error.message
    assert refusal(small).code == "too_small"


def test_limits_hold_for_images_and_arrays() -> None:
    for source in (quarters(), Image.fromarray(quarters())):
        assert refusal(source, max_pixels=1_000).code == "too_many_pixels"
    assert refusal(np.zeros((7, 99, 3), np.uint8)).code == "too_small"
    assert refusal(Image.new("RGB", (99, 7))).code == "too_small"


def test_decompression_bombs_take_no_memory() -> None:
    bomb = png(60_000, 60_000, 8, 2, b"\0" * 100)
    assert refusal(bomb).code == "too_many_pixels"
    assert refusal(png(0x7FFFFFFF, 0x7FFFFFFF, 8, 2, b"")).code == "too_many_pixels"
    webp = bytearray(encoded(np.dstack([quarters(), quarters()[..., :1]]), "WEBP"))
    assert webp[12:16] == b"VP8X"
    webp[24:30] = b"\xff\xff\x00\xff\xff\x00"  # a canvas of 65,536 × 65,536
    assert refusal(bytes(webp)).code == "too_many_pixels"
    text = PngImagePlugin.PngInfo()
    text.add_text("bomb", "x" * 3_000_000, zip=True)
    assert same(read_photo(encoded(quarters(), "PNG", pnginfo=text)).pixels, quarters())


def test_the_setting_replaces_pillows_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for kind in set(FORMATS) - {"TIFF"}:  # its decoder asks for the global by itself
            assert read_photo(encoded(quarters(), kind, **options(kind))).width == 64
    assert seen == []
    assert Image.MAX_IMAGE_PIXELS == 100


def test_base64_in_all_its_spellings() -> None:
    data = encoded(quarters(), "PNG")
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    urls = (f"data:image/png;base64,{text}", f" DATA:image/png;name=a;BASE64,{lines}\n")
    urls += (f"data:image/png;base64,{quote(lines, safe='')}", f"data:image/png,{quote(data)}")
    for spelling in (text, lines, *urls):
        assert read_photo(spelling).sha256 == hashlib.sha256(data).hexdigest()
        assert decode_base64(spelling) == data
    assert decode_base64("__79_A") == b"\xff\xfe\xfd\xfc"
    half = "\ud800"  # of a character, as JSON may spell it
    halves = (half * 40, f"data:,{half}", f"data:image/png,%20{half}", f"data:image/png;base64,%20{half}")
    for wrong in ("é" * 40, "abc!", "a", "====", "no base64 at all", *halves):
        with pytest.raises(PhotoError, match="base64") as caught:
            decode_base64(wrong)
        assert caught.value.code == "bad_base64"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, np.float64, bool, ">u2"])
def test_arrays_of_any_kind_are_scaled_alike(dtype: Any) -> None:
    kind = np.dtype(dtype)
    full = 65535 if kind.itemsize == 2 else {"u": 255, "i": 255, "f": 1, "b": 1}[kind.kind]
    pixels = read_photo((quarters() > 100).astype(dtype) * np.array(full, dtype)).pixels
    assert (pixels == (quarters() > 100) * np.uint8(255)).all()


def test_arrays_and_images_are_copied_and_hashed_by_their_pixels() -> None:
    array = quarters()
    photo = read_photo(array, name="a/b.png")
    array[:] = 0
    assert (photo.pixels == quarters()).all()
    assert photo.name == "b.png"
    assert photo.sha256 == read_photo(Image.fromarray(quarters())).sha256
    assert photo.sha256 == hashlib.sha256(b"48x64x3\n" + quarters().tobytes()).hexdigest()
    assert read_photo(quarters()[::-1, ::2]).pixels.flags.c_contiguous
    assert (read_photo(quarters()[..., 0]).pixels == quarters()[..., :1]).all()
    clear = np.dstack([quarters(), np.zeros((48, 64), np.uint8)])
    assert (read_photo(clear).pixels == 255).all()


def test_lazily_opened_images_fail_like_their_bytes(tmp_path: Path) -> None:
    data = encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), "PNG")
    with Image.open(BytesIO(data[:5_000])) as image:
        assert refusal(image).code == "truncated"


def gps() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "CAMERA-MAKER"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 28.0, 38.0), 29: "2026:01:01"})
    return exif


@given(st.integers(8, 40), st.integers(8, 40), st.integers(0, 2**32))
@settings(max_examples=20)
def test_metadata_never_survives_and_png_is_a_round_trip(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read_photo(encoded(pixels, "PNG", exif=gps(), icc_profile=srgb))
    assert (read_photo(encode_png(photo.pixels)).pixels == pixels).all()
    sample, digest = sample_encoding(photo.pixels)
    assert digest == hashlib.sha256(sample).hexdigest()
    assert sample_encoding(pixels.copy()) == (sample, digest)
    for data in (encode_jpeg(photo.pixels), encode_png(photo.pixels), sample):
        with Image.open(BytesIO(data)) as image:
            assert not image.getexif()
            assert not {"exif", "icc_profile", "xmp", "comment"} & image.info.keys()
            assert image.size == (width, height)
        assert b"CAMERA" not in data
        assert b"Exif" not in data


def test_sample_encoding_is_close_and_copes_with_extremes() -> None:
    assert same(read_photo(sample_encoding(quarters())[0]).pixels, quarters(), 3)
    strip = np.zeros((8, 66_000, 3), np.uint8)
    assert read_photo(sample_encoding(strip)[0]).width == 66_000
    with pytest.raises(ValueError, match=r"Received: shape=\(8, 8\)"):
        encode_png(np.zeros((8, 8), np.uint8))


def test_no_warning_leaks_even_with_many_threads() -> None:
    exif = gps()
    data = encoded(quarters(), "JPEG", exif=exif)
    cut = data.replace(b"CAMERA-MAKER", b"CAMERA-MAKE\xff")
    before = len(warnings.filters)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=lambda: [read_photo(cut) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == []
    assert len(warnings.filters) == before


NOISE = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
VALID = [
    encoded(NOISE, "JPEG", exif=gps()),
    encoded(NOISE, "JPEG", progressive=True),
    encoded(NOISE, "PNG", exif=gps()),
    encoded(Image.fromarray(NOISE).quantize(8), "PNG", transparency=1),
    encoded(Image.fromarray(NOISE).quantize(8), "GIF", transparency=1),
    encoded(NOISE, "WEBP", exif=gps()),
    encoded(NOISE, "WEBP", lossless=True),
    encoded(NOISE, "BMP"),
    encoded(NOISE, "TIFF", exif=gps()),
    encoded(NOISE, "TIFF", compression="tiff_lzw", exif=gps()),
    encoded(NOISE, "HEIF", exif=gps()),
    encoded(NOISE, "AVIF", speed=10, exif=gps()),
]
fuzz = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)


def photo_or_photo_error(data: bytes) -> None:
    with contextlib.suppress(PhotoError):  # whose status is looked up by code: an unknown one is a KeyError
        photo = read_photo(data, max_pixels=1_000_000)
        assert isinstance(photo, Photo)
        assert photo.pixels.shape == (photo.height, photo.width, 3)


@given(st.binary(max_size=300), st.sampled_from([b"", *(data[:12] for data in VALID)]))
@fuzz
def test_no_bytes_raise_anything_else(data: bytes, magic: bytes) -> None:
    photo_or_photo_error(magic + data)


@given(st.sampled_from(VALID), st.floats(0, 1))
@fuzz
def test_no_truncation_raises_anything_else(data: bytes, share: float) -> None:
    photo_or_photo_error(data[: int(len(data) * share)])


flip_lists = st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), min_size=1, max_size=4)


@given(st.sampled_from(VALID), flip_lists)
@fuzz
def test_no_flipped_bit_raises_anything_else(data: bytes, flips: list[tuple[float, int]]) -> None:
    broken = bytearray(data)
    for place, change in flips:
        broken[int(place * len(broken))] ^= change
    photo_or_photo_error(bytes(broken))


@given(st.text(max_size=200))
@fuzz
def test_no_text_raises_anything_else(text: str) -> None:
    for call in (decode_base64, read_photo):
        with contextlib.suppress(PhotoError):
            call(text)


def test_rare_decoders_are_loaded_only_when_needed() -> None:
    code = "import sys, smartbreed.imaging.photo; print({'pillow_heif', 'PIL.ImageCms'} & sys.modules.keys())"
    done = run("-c", code, check=True)
    assert done.stdout.strip() == "set()"


def test_the_noisiest_photo_has_an_encoding_too() -> None:
    # Pillow's optimising encoder overflows its own buffer on pure noise.
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    data, digest = sample_encoding(noise)
    assert hashlib.sha256(data).hexdigest() == digest
