"""Memory that photos take: asked for before it is taken, bounded, and given back; reduced JPEGs."""

from __future__ import annotations

import gc
import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smartbreed.core.errors import PhotoError
from smartbreed.core.settings import load_settings
from smartbreed.imaging import colour
from smartbreed.imaging.admission import MOST_CARRIED, MOST_WAITING, Admission
from smartbreed.imaging.decoding import REDUCE_ABOVE, most_memory
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.results import Failure, Identification
from smartbreed.services import Services
from smartbreed.web.pages.identify.session import Options, identify_uploads


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int) -> bytes:
    return encoded(Image.new("L", (width, height), 90), "PNG", compress_level=1)


def test_a_photo_holds_its_memory_while_it_lives() -> None:
    admission = Admission(10_000_000, 10_000_000)
    photo = read_photo(png(500, 400), admission=admission)
    assert admission.held >= 500 * 400 * 7
    del photo
    gc.collect()
    assert admission.held == 0


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-200], lambda data: data[:60] + b"x" * 300 + data[360:]]
)
def test_a_photo_that_fails_gives_its_memory_back(spoil) -> None:
    admission = Admission(10_000_000, 10_000_000)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    with pytest.raises(PhotoError):
        read_photo(spoil(encoded(Image.fromarray(noise), "PNG")), admission=admission)
    assert admission.held == 0


def test_who_waits_too_long_gets_an_error() -> None:
    admission = Admission(2_000_000, 2_000_000, patience_s=0.05)
    held = read_photo(png(400, 400), admission=admission)
    with pytest.raises(PhotoError) as error:
        read_photo(png(400, 400), admission=admission)
    assert (error.value.code, error.value.status) == ("busy", 503)
    assert held.width == 400


def test_large_photos_never_hold_up_ordinary_ones() -> None:
    admission = Admission(3_000_000, 20_000_000, patience_s=0.05)
    reservations = [admission.admit(20_000_000)]
    with pytest.raises(PhotoError):
        admission.admit(20_000_000)
    reservations.append(admission.admit(1_000_000))
    for reservation in reservations:
        reservation.release()
        reservation.release()  # twice is once
    assert admission.held == 0


def test_few_wait_and_further_ones_are_refused_at_once() -> None:
    admission = Admission(1_000, 1_000, patience_s=60)
    first = admission.admit(1_000)
    waiting = [threading.Thread(target=lambda: admission.admit(900).release()) for _ in range(MOST_WAITING)]
    for thread in waiting:
        thread.start()
    while len(admission.large._waiting) < MOST_WAITING:
        pass
    with pytest.raises(PhotoError):  # without waiting a minute
        admission.admit(1_000)
    first.release()
    for thread in waiting:
        thread.join(30)
    first = admission.admit(1_000)
    with pytest.raises(PhotoError):
        admission.admit(1_000, carried=MOST_CARRIED + 1)
    first.release()
    assert admission.held == 0


def test_many_threads_never_hold_more_than_there_is() -> None:
    admission = Admission(1_000, 5_000, patience_s=60)
    most: list[int] = []

    def work(seed: int) -> None:
        draw = np.random.default_rng(seed)
        for _ in range(60):
            reservation = admission.admit(int(draw.integers(1, 600)))
            most.append(admission.ordinary.held)
            reservation.release()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert max(most) <= 1_000
    assert len(most) == 8 * 60
    assert admission.held == 0


class Asked(Admission):
    """Admission that only writes down what is asked for."""

    def __init__(self) -> None:
        super().__init__(1_000_000, 1_000_000)
        self.amounts: list[int] = []

    def admit(self, amount: int, *, carried: int = 0) -> Any:
        self.amounts.append(amount)
        raise PhotoError("busy", "Not today.")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("AVIF", {"speed": 10}),
        ("HEIF", {}),
    ],
)
def test_every_format_asks_once_and_for_enough(kind: str, options: dict[str, Any]) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = encoded(Image.new("RGB", (320, 200), "red"), kind, **options)
    asked = Asked()
    with pytest.raises(PhotoError, match="Not today"):
        read_photo(data, admission=asked)
    assert len(asked.amounts) == 1
    assert asked.amounts[0] >= 320 * 200 * 7


def test_a_webp_is_judged_by_its_header_before_it_is_opened() -> None:
    """The decoder takes memory for the canvas as it opens, whichever of the three kinds it is."""
    for options in ({}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}):
        data = encoded(Image.new("RGB", (320, 200), "red"), "WEBP", **options)
        with pytest.raises(PhotoError) as error:
            read_photo(data, max_pixels=320 * 200 - 1)
        assert error.value.code == "too_many_pixels"
        assert "320 × 200" in error.value.message
    with pytest.raises(PhotoError):
        read_photo(b"RIFF\x20\0\0\0WEBPnope" + bytes(40))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "HSV", "PA", "La"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_rows_at_a_time_give_the_same_pixels(monkeypatch, mode: str, orientation: int) -> None:
    noise = np.random.default_rng(orientation).integers(0, 256, (37, 23, 4), dtype=np.uint8)
    image = Image.fromarray(noise, "RGBA")
    image = (
        image.convert("LA").convert("La") if mode == "La" else image.convert("P") if mode == "PA" else image
    )
    image = (
        image if image.mode == mode else image.convert("RGB" if mode in ("CMYK", "YCbCr", "HSV") else mode)
    )
    image = image if image.mode == mode else image.convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    whole = colour.upright_rgb(image)
    monkeypatch.setattr(colour, "_BAND", 23 * 5)
    bands = colour.upright_rgb(image)
    assert bands.flags.c_contiguous
    assert not bands.flags.writeable
    np.testing.assert_array_equal(bands, whole)


@pytest.fixture(scope="module")
def large_jpeg(photos: list[Path]) -> tuple[bytes, Image.Image]:
    """A real photograph, enlarged beyond what is decoded in full, lying on its side."""
    picture = Image.open(photos[2]).convert("RGB")
    factor = (1.3 * REDUCE_ABOVE / (picture.width * picture.height)) ** 0.5
    picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° to the right
    return encoded(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif), picture


def test_a_large_jpeg_is_reduced_and_answers_in_pixels_of_the_full_photo(large_jpeg) -> None:
    data, picture = large_jpeg
    services = Services(load_settings())
    answer = services.identify(data)
    assert isinstance(answer, Identification)
    assert (answer.width, answer.height) == picture.size
    photo = services.read(data)
    assert photo.pixels.size < picture.width * picture.height
    assert photo.pixels.shape[1] / photo.pixels.shape[0] == pytest.approx(
        picture.width / picture.height, rel=0.01
    )
    exact = services.identifier.identify(read_photo(data))
    assert len(answer.pets) == len(exact.pets) > 0
    for mine, theirs in zip(answer.pets, exact.pets, strict=True):
        assert mine.breeds[0].id == theirs.breeds[0].id
        np.testing.assert_allclose(mine.box, theirs.box, atol=0.02 * max(picture.size))
        crop = services.identifier.crop(photo, mine).astype(float)
        whole = services.identifier.crop(read_photo(data), mine).astype(float)
        assert abs(crop - whole).mean() < 4, "the crop shows the same part of the photo"


def test_a_flag_of_a_reduced_photo_has_its_box_in_the_pixels_that_are_kept(large_jpeg, tmp_path) -> None:
    data, _ = large_jpeg
    services = Services(load_settings(home=tmp_path))
    photo = services.read(data)
    answer = services.identifier.identify(photo)
    services.flag(photo, answer, number=1, verdict="correct", consent=True)
    from sqlalchemy import select

    from smartbreed.feedback.tables import Flag

    with services.flags.sessions() as session:
        row = session.scalars(select(Flag)).one()
    assert (row.photo_width, row.photo_height) == (photo.pixels.shape[1], photo.pixels.shape[0])
    np.testing.assert_allclose(row.box, photo.in_pixels(answer.pets[0].box), atol=0.02)
    services.flags.close()


def test_the_page_and_many_photos_pass_the_same_gate(tmp_path) -> None:
    services = Services(load_settings(home=tmp_path))
    services.__dict__["admission"] = Admission(50_000_000, 50_000_000, patience_s=0.05)
    path = tmp_path / "a.png"
    path.write_bytes(png(600, 600))
    held = [services.admission.admit(33_000_000), services.admission.admit(50_000_000)]
    path.write_bytes(png(2400, 1200))
    session, _ = identify_uploads(services, [(str(path), "a.png")], Options())
    several = services.identify_many([(path, "a.png"), (path, "a.png")])
    for answer in (session.view.answer, services.identify(path), *several):
        assert isinstance(answer, Failure)
        assert answer.error.code == "busy"
    for reservation in held:
        reservation.release()
    assert isinstance(services.identify(path), Identification)
    gc.collect()
    assert services.admission.held == 0


def test_no_photo_within_the_limit_of_pixels_takes_more_than_its_lane(monkeypatch) -> None:
    limit = 20_000_000
    data = bytearray(encoded(Image.new("RGB", (320, 200), "red"), "WEBP", lossless=True))
    bits = (16_000 - 1) | (1_200 - 1) << 14  # 19 megapixels, in a format whose decoder takes twice as much
    data[21:25] = bits.to_bytes(4, "little")
    with pytest.raises(PhotoError) as error:
        read_photo(bytes(data), max_pixels=limit)
    assert error.value.code == "too_many_pixels"
    assert most_memory(limit) == 9 * limit
