"""HEIC as telephones write it is read: tiles, thumbnail, EXIF, depth, mattes, gain map and video."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from support.hostile_photos import Container, Item, box, full, grid
from support.photos import blobs

from smartbreed.imaging import isobmff
from smartbreed.imaging.photo import read_photo

#: Width and height of what is common: 12 and 48 megapixels, and 50 of another maker's.
TWELVE, FORTY_EIGHT, FIFTY = (4032, 3024), (8064, 6048), (8160, 6120)
TILE = 512
#: Turned by a quarter, as a telephone that was held upright writes it.
TURNED = 6
#: Names of pictures that lie beside the photo.
AUXILIARY = (
    "urn:mpeg:hevc:2015:auxid:2",  # depth
    "urn:com:apple:photo:2018:aux:portraiteffectsmatte",
    "urn:com:apple:photo:2019:aux:semanticskinmatte",
    "urn:com:apple:photo:2019:aux:semantichairmatte",
    "urn:com:apple:photo:2020:aux:semanticskymatte",
)
GAIN_MAP = "urn:com:apple:photo:2020:aux:hdrgainmap"


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Something with edges and grain, so that it is not coded in a few bytes."""
    small = np.asarray(Image.fromarray(blobs(3, 96, 72)).resize((width, height), Image.Resampling.BICUBIC))
    grain = np.random.default_rng(0).integers(-9, 10, (256, 256, 1))
    rows, columns = -(-height // 256), -(-width // 256)
    noisy = small + np.tile(grain, (rows, columns, 1))[:height, :width]
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert(mode)


def written(size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    """A photo as the encoder of a library writes it, with what that can put beside it."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", TURNED
    buffer = io.BytesIO()
    pillow_heif.from_pillow(scene(*size, mode)).save(
        buffer,
        quality=45,
        enc_params={"preset": "ultrafast"},
        exif=exif.tobytes(),
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        thumbnails=[320],
        **options,
    )
    return buffer.getvalue()


def as_telephones_do(size: tuple[int, int], *, gain_map: bool = True) -> bytes:
    """A grid of tiles with all that the makers put beside it; the gain map is a grid, too."""
    items: list[Item] = [Item()]

    def tiles(width: int, height: int) -> tuple[bytes, list[int]]:
        columns, rows = -(-width // TILE), -(-height // TILE)
        first = len(items) + 1
        items.extend([Item(size=(TILE, TILE))] * (columns * rows))
        return grid(rows, columns, width, height), list(range(first, first + columns * rows))

    data, parts = tiles(*size)
    turned = box(b"irot", b"\3")
    items[0] = Item(b"grid", data, size, [(b"dimg", parts)], [turned])
    items.append(Item(size=(TILE, TILE), refers=[(b"thmb", [1])]))
    items += [Item(size=(TILE, TILE), refers=[(b"auxl", [1])],
                   properties=[full(b"auxC", name.encode() + b"\0")]) for name in AUXILIARY]  # fmt: skip
    exif = b"\0\0\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    items.append(Item(b"Exif", exif, (1, 1), [(b"cdsc", [1])]))
    groups = b""
    if gain_map:
        half = (size[0] // 2, size[1] // 2)
        data, parts = tiles(*half)
        items.append(
            Item(b"grid", data, half, [(b"dimg", parts), (b"auxl", [1])],
                 [turned, full(b"auxC", GAIN_MAP.encode() + b"\0")])
        )  # fmt: skip
        gain = len(items)
        items.append(Item(b"mime", b"application/rdf+xml\0<x/>", (1, 1), [(b"cdsc", [gain])]))
        items.append(Item(b"tmap", bytes(62), size, [(b"dimg", [1, gain])], [turned]))
        members = struct.pack(">3I", 900, 2, len(items)) + struct.pack(">I", 1)
        groups = box(b"grpl", full(b"altr", members))
    video = box(b"mpvd", box(b"ftyp", b"isom"), box(b"mdat", bytes(3_000_000)))
    return Container("HEIC", items, side=TILE, in_meta=groups, after=video).data()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("tile", [0, TILE])
def test_twelve_megapixels_that_an_encoder_wrote_are_read(tile: int) -> None:
    data = written(TWELVE, tile_size=tile)
    contents = isobmff.Contents(data)
    assert contents.counts["items"] > (48 if tile else 1), "tiles, thumbnail, EXIF and XMP"
    photo = read_photo(data)
    assert (photo.width, photo.height) == TWELVE[::-1]
    assert abs(float(photo.pixels[:64, :64].mean()) - float(_turned(TWELVE)[:64, :64].mean())) < 4


def _turned(size: tuple[int, int]) -> np.ndarray:
    return np.rot90(np.asarray(scene(*size)), 3)


def test_ten_bits_a_colour_are_read() -> None:
    wide = np.asarray(scene(1600, 1200)).astype(np.uint16) << 8
    buffer = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (1600, 1200), wide.tobytes()).save(
        buffer, bit_depth=10, tile_size=TILE, enc_params={"preset": "ultrafast"}
    )
    photo = read_photo(buffer.getvalue())
    assert (photo.width, photo.height) == (1600, 1200)
    assert abs(float(photo.pixels.mean()) - float(wide.mean()) / 256) < 4


def test_a_burst_is_read_as_its_first_picture() -> None:
    buffer = io.BytesIO()
    frames = [scene(1600, 1200) for _ in range(3)]
    file = pillow_heif.from_pillow(frames[0])
    for frame in frames[1:]:
        file.add_from_pillow(frame)
    file.save(buffer, tile_size=TILE, thumbnails=[320], enc_params={"preset": "ultrafast"})
    assert read_photo(buffer.getvalue()).width == 1600


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("tile", [0, TILE])
def test_forty_eight_megapixels_that_an_encoder_wrote_are_read(tile: int) -> None:
    photo = read_photo(written(FORTY_EIGHT, tile_size=tile))
    assert (photo.width, photo.height) == FORTY_EIGHT[::-1]


@pytest.mark.parametrize("gain_map", [True, False])
def test_what_lies_beside_a_photo_of_twelve_megapixels_does_not_cost_the_photo(gain_map: bool) -> None:
    photo = read_photo(as_telephones_do(TWELVE, gain_map=gain_map))
    assert (photo.width, photo.height) == TWELVE[::-1]


@pytest.mark.slow
@pytest.mark.parametrize("size", [FORTY_EIGHT, FIFTY])
def test_what_lies_beside_a_photo_of_fifty_megapixels_does_not_cost_the_photo(size: tuple[int, int]) -> None:
    photo = read_photo(as_telephones_do(size))
    assert (photo.width, photo.height) == size[::-1]


@pytest.mark.parametrize("size", [TWELVE, FORTY_EIGHT, FIFTY])
def test_the_limits_leave_room_for_twice_as_much(size: tuple[int, int]) -> None:
    """What telephones write is no borderline case of what is refused."""
    contents = isobmff.Contents(as_telephones_do(size))
    assert contents.excess is None
    for what, most in isobmff._MOST.items():
        assert 2 * contents.counts[what] <= most, what
