"""Costly files are decoded in processes with a deadline; when one hangs or dies, others are answered."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from support.clock import until
from support.hostile_photos import Container, Item, run_length_bmp
from support.photos import blobs
from support.processes import SUPPORT, kill, start

from smartbreed.core.errors import PhotoError
from smartbreed.core.settings import load_settings
from smartbreed.imaging import decoders, decoding
from smartbreed.imaging.admission import Admission
from smartbreed.imaging.decoders import Decoders
from smartbreed.imaging.photo import Photo, read_photo
from smartbreed.services import Services

AVIF = Container("AVIF", [Item()]).data()
FAULTY = str(SUPPORT / "faulty_decoder.py")


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


JPEG = encoded(Image.fromarray(blobs(1)), "JPEG")


def faulty(how: str, size: int = 1, deadline_s: float = 600.0) -> Decoders:
    return Decoders(size, deadline_s=deadline_s, command=[sys.executable, FAULTY, how])


@pytest.fixture
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoders]:
    """What decodes for everybody; the parameter says how its workers are at fault."""
    how = getattr(request, "param", "")
    found = faulty(how) if how else Decoders(1, deadline_s=600.0)
    monkeypatch.setattr(decoders, "shared", found)
    yield found
    found.close()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def refusal(data: bytes = AVIF, **options: Any) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        read_photo(data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "options"),
    [("AVIF", {"speed": 10}), ("HEIF", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_a_worker_gives_the_pixels_that_decoding_gives(
    pool: Decoders, kind: str, options: dict[str, Any]
) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(blobs(2)), kind, exif=exif, **options)
    photo = read_photo(data)
    expected, full = decoding.decode(data, 1_000_000)
    assert len(pool.pids) == 1
    assert np.array_equal(photo.pixels, expected)
    assert (photo.width, photo.height) == full
    assert not photo.pixels.flags.writeable
    assert photo.pixels.flags.c_contiguous
    assert os.getpid() not in pool.pids


SIDE = 5000
ELSEWHERE = {
    "AVIF": lambda: AVIF,
    "HEIC": lambda: Container("HEIC", [Item()]).data(),
    "TIFF": lambda: encoded(Image.new("L", (64, 64)), "TIFF"),
    "BMP in runs": run_length_bmp,
    "large JPEG": lambda: encoded(Image.new("L", (7000, SIDE)), "JPEG"),
    "large PNG": lambda: encoded(Image.new("1", (SIDE, SIDE)), "PNG"),
    "large WebP": lambda: encoded(Image.new("L", (2500, 2000)), "WEBP", lossless=True, method=0),
    "large GIF": lambda: encoded(Image.new("1", (9000, SIDE)), "GIF"),
}
HERE = {
    "JPEG": lambda: JPEG,
    "progressive JPEG": lambda: encoded(Image.fromarray(blobs(1)), "JPEG", progressive=True),
    "JPEG of 12 megapixels": lambda: encoded(Image.new("L", (4000, 3000)), "JPEG"),
    "PNG": lambda: encoded(Image.fromarray(blobs(1)), "PNG"),
    "WebP": lambda: encoded(Image.fromarray(blobs(1)), "WEBP"),
    "GIF": lambda: encoded(Image.fromarray(blobs(1)), "GIF"),
    "BMP": lambda: encoded(Image.fromarray(blobs(1)), "BMP"),
}


@pytest.mark.parametrize("what", [*ELSEWHERE, *HERE])
def test_only_what_may_take_long_goes_to_a_worker(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class ElsewhereError(Exception):
        pass

    def elsewhere(*_: Any, **__: Any) -> None:
        raise ElsewhereError

    monkeypatch.setattr(decoders.shared, "decode", elsewhere)
    if what in HERE:
        assert read_photo(HERE[what](), reduce=True).width > 0
        return
    data = ELSEWHERE[what]()
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it is decoded here"))
    with pytest.raises(ElsewhereError):
        read_photo(data, reduce=True)


def test_a_decode_that_takes_too_long_is_ended_and_said_so() -> None:
    pool = faulty("hang", deadline_s=0.01)
    with pytest.raises(PhotoError) as caught:
        pool.decode(AVIF, 1_000_000)
    assert (caught.value.code, caught.value.status) == ("too_slow", 422)
    assert "AVIF" in caught.value.message
    assert pool.pids == []


@pytest.mark.parametrize("pool", ["hang"], indirect=True)
def test_others_are_answered_while_a_decode_hangs(pool: Decoders) -> None:
    said: list[PhotoError] = []
    hanging = threading.Thread(target=lambda: said.append(refusal()))
    hanging.start()
    until(lambda: pool.pids)
    assert read_photo(JPEG).pixels.shape == (240, 320, 3)
    assert hanging.is_alive()
    pids = pool.pids
    pool.close()
    hanging.join(60)
    assert [error.code for error in said] == ["busy"]
    assert all(map(gone, pids))


@pytest.mark.parametrize("pool", ["hang"], indirect=True)
def test_few_wait_for_a_worker_and_further_ones_are_refused_at_once(pool: Decoders) -> None:
    admission = Admission(10_000_000, 10_000_000, patience_s=600, most_waiting=0)
    admission.workers.size = admission.workers._free = 1
    hanging = threading.Thread(target=lambda: refusal(admission=admission))
    hanging.start()
    until(lambda: admission.workers.held)
    assert refusal(admission=admission).code == "busy"
    assert read_photo(JPEG, admission=admission).width == 320
    pool.close()
    hanging.join(60)
    assert (admission.workers.held, admission.held) == (0, 0)


def test_memory_is_waited_for_while_no_worker_is_held(pool: Decoders) -> None:
    class Watched(Admission):
        asked: list[tuple[int, int]]

        def admit(self, amount: int, *, carried: int = 0) -> Any:
            self.asked.append((amount, self.workers.held))
            return super().admit(amount, carried=carried)

    admission = Watched(10_000_000, 10_000_000)
    admission.asked = []
    photo: Photo | None = read_photo(AVIF, admission=admission)
    assert admission.asked == [(decoding.memory_needed("AVIF", (64, 64)), 0)]
    assert admission.held == admission.asked[0][0]
    assert photo is not None
    photo = None
    assert admission.held == 0


@pytest.mark.parametrize("pool", ["die", "take_memory", "ask_without_end"], indirect=True)
def test_a_worker_that_dies_or_takes_what_it_was_not_given_is_a_photo_that_cannot_be_read(
    pool: Decoders,
) -> None:
    assert refusal().code == "damaged"
    assert read_photo(JPEG).width == 320


def test_the_next_photo_gets_another_worker_when_one_was_killed(pool: Decoders) -> None:
    assert read_photo(AVIF).width == 64
    [pid] = pool.pids
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    assert read_photo(AVIF).width == 64
    assert pool.pids != [pid]


@pytest.mark.parametrize("pool", ["die_at_the_third"], indirect=True)
def test_a_file_is_not_to_blame_for_a_worker_that_ended_while_it_waited(pool: Decoders) -> None:
    """A process that was killed is seen as alive until the kernel has taken it down."""
    assert read_photo(AVIF).width == 64
    [pid] = pool.pids
    assert read_photo(AVIF).width == 64
    assert pool.pids != [pid]


def test_a_photo_never_gets_the_answer_to_one_that_was_interrupted(
    pool: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_photo(AVIF).width == 64
    [pid] = pool.pids
    poll = Connection.poll

    def interrupted(self: Connection, timeout: float | None = 0.0) -> bool:
        monkeypatch.setattr(Connection, "poll", poll)
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "poll", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_photo(AVIF)
    assert gone(pid)
    assert pool.pids == []
    other = encoded(Image.new("L", (320, 200), 90), "TIFF")
    assert read_photo(other).pixels.shape == (200, 320, 3)


def test_a_worker_that_cannot_be_started_asks_for_patience() -> None:
    with pytest.raises(PhotoError) as caught:
        Decoders(1, command=[sys.executable, "-c", "pass"]).decode(AVIF, 1_000_000)
    assert caught.value.code == "busy"
    with pytest.raises(PhotoError) as caught:
        Decoders(1, command=["/no/such/program"]).decode(AVIF, 1_000_000)
    assert caught.value.code == "busy"


@pytest.mark.parametrize("pool", ["no_writing"], indirect=True)
def test_a_worker_writes_no_file(pool: Decoders) -> None:
    assert read_photo(AVIF).width == 64
    assert read_photo(encoded(Image.new("L", (64, 64)), "TIFF", compression="tiff_lzw")).width == 64


def test_a_worker_loads_neither_tensorflow_nor_gradio() -> None:
    script = "import smartbreed.imaging.decoding_worker, sys; print(*sys.modules)"
    loaded, _ = start("-c", script).communicate(timeout=200)
    assert "PIL.Image" in loaded.split()
    assert not {"tensorflow", "keras", "gradio", "fastapi", "sqlalchemy"} & set(loaded.split())


def test_stopping_the_services_ends_the_workers(pool: Decoders, tmp_path: Path) -> None:
    services = Services(load_settings(home=tmp_path))
    assert services.read(AVIF).width == 64
    [pid] = pool.pids
    services.stop()
    assert gone(pid)
    assert pool.pids == []


PARENT = """
import sys, threading, time
from smartbreed.imaging.decoders import Decoders
idle, hung = Decoders(1), Decoders(1, deadline_s=600, command=[sys.executable, sys.argv[2], "hang"])
data = open(sys.argv[1], "rb").read()
idle.decode(data, 10**6)
threading.Thread(target=hung.decode, args=(data, 10**6)).start()
while not hung.pids:
    time.sleep(0.01)
print(*idle.pids, *hung.pids, flush=True)
"""


def test_no_worker_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(AVIF)
    parent = start("-c", PARENT, tmp_path / "a.avif", FAULTY, stderr=None)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert not any(map(gone, pids))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    try:
        until(lambda: all(map(gone, pids)), seconds=100, why="a worker lives on")
    finally:
        kill(parent)
