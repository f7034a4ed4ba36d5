"""HEIC and AVIF made to cost far more than their bytes are refused before a decoder sees them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from support.hostile_photos import (
    CONTAINERS,
    Container,
    Item,
    full,
    grid,
    profile_of_steps,
    webp_of_chunks,
)
from support.photos import blobs

from smartbreed.core.errors import PhotoError
from smartbreed.imaging import colour, decoders, decoding, isobmff
from smartbreed.imaging.containers import MOST_CHUNKS
from smartbreed.imaging.photo import read_photo


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
@pytest.mark.parametrize("what", CONTAINERS)
def test_a_container_made_to_take_long_is_refused_before_it_is_opened(
    kind: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_open", lambda *_: pytest.fail("it is opened"))
    monkeypatch.setattr(decoders.shared, "decode", lambda *_, **__: pytest.fail("it is decoded"))
    name, make = CONTAINERS[what]
    with pytest.raises(PhotoError) as caught:
        read_photo(make(kind).data())
    assert caught.value.code == "damaged"
    assert f" {name}, more than any program writes" in caught.value.message


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_few_bytes_are_looked_at_of_a_file_of_many_boxes(kind: str) -> None:
    name, make = CONTAINERS["boxes"]
    data = make(kind).data()
    contents = isobmff.Contents(data)
    assert contents.excess == (name, isobmff.MOST_BOXES)
    assert contents.counts["boxes"] == isobmff.MOST_BOXES + 1


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_what_telephones_write_is_read(kind: str) -> None:
    tiles = Item(b"grid", grid(6, 8, 500, 380), (500, 380), [(b"dimg", list(range(2, 50)))])
    exif = Item(b"Exif", b"\0\0\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", refers=[(b"cdsc", [1])])
    auxiliary = full(b"auxC", b"urn:mpeg:hevc:2015:auxid:2\0")
    depth = Item(refers=[(b"auxl", [1])], properties=[auxiliary])
    photo = read_photo(Container(kind, [tiles, *[Item()] * 48, exif, depth]).data())
    assert photo.pixels.shape == (380, 500, 3)


@pytest.mark.parametrize(("kind", "options"), [("HEIF", {}), ("AVIF", {"speed": 10})])
def test_pictures_with_an_alpha_channel_and_several_frames_are_read(
    kind: str, options: dict[str, Any]
) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    picture = Image.fromarray(blobs(1, 90, 60)).convert("RGBA")
    buffer = BytesIO()
    picture.save(buffer, kind, save_all=True, append_images=[picture] * 3, **options)
    assert read_photo(buffer.getvalue()).pixels.shape == (60, 90, 3)


def test_boxes_that_make_no_sense_are_left_to_the_decoder() -> None:
    whole = Container("HEIC", [Item()]).data()
    for at in range(0, len(whole), 3):
        for changed in (b"\0", b"\1", b"\xff"):
            isobmff.excess(whole[:at] + changed + whole[at + 1 :])
            isobmff.excess(whole[:at])


def test_a_webp_of_very_many_chunks_is_refused() -> None:
    assert read_photo(webp_of_chunks(10)).width == 64
    with pytest.raises(PhotoError, match="chunks, more than any program writes"):
        read_photo(webp_of_chunks(MOST_CHUNKS))


@pytest.mark.parametrize("kind", ["JPEG2000", "PCX", "TGA", "PPM", "ICO", "SGI", "DDS", "IM", "MSP", "XBM"])
def test_formats_that_pillow_could_read_and_no_camera_writes_reach_no_decoder(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_open", lambda *_: pytest.fail("it is opened"))
    buffer = BytesIO()
    Image.new("1" if kind in ("MSP", "XBM") else "RGB", (64, 64)).save(buffer, kind)
    with pytest.raises(PhotoError) as caught:
        read_photo(buffer.getvalue())
    assert caught.value.code == "unsupported_format"


def test_no_pipeline_of_a_colour_profile_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 steps took over a minute in a JPEG of 170 kB."""
    colour._transform.cache_clear()
    pixels = []
    for steps in (1, 20_000):
        buffer = BytesIO()
        Image.fromarray(blobs(1, 90, 60)).save(buffer, "JPEG", icc_profile=profile_of_steps(steps))
        pixels.append(read_photo(buffer.getvalue()).pixels.tobytes())
    buffer = BytesIO()
    Image.fromarray(blobs(1, 90, 60)).save(buffer, "JPEG")
    assert set(pixels) == {read_photo(buffer.getvalue()).pixels.tobytes()}
