"""Fixtures of more than one package: real photographs, bad ones, and a server."""

from __future__ import annotations

import inspect
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import hypothesis
import pytest
from support.clock import PATIENCE_S
from support.photos import noise, rows
from support.processes import MAX_BYTES, Server

from smartbreed.hub import connection
from smartbreed.imaging import decoders
from smartbreed.web.gradio_import import write_no_stubs

write_no_stubs()  # tests import gradio themselves

# What makes the SBOM brings this package along. Where it is, jsonschema, and with it gradio's MCP server,
# imports it for addresses in schemas: a second of grammar in each process. No installation of ours has it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# No test may depend on the clock: a busy machine takes longer over an example.
hypothesis.settings.register_profile("smartbreed", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("smartbreed")

# Nor may five seconds, which is httpx's own patience, end a request that a busy server is slow to answer.
for _client in (httpx, httpx2):
    _patience = inspect.signature(_client.get).parameters["timeout"].default
    _patience.connect = _patience.read = _patience.write = _patience.pool = PATIENCE_S

# A shell that runs the tests in the background makes them, and every process they start, deaf to Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A run that is ended from outside ends the processes that it started.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM", 143))

# Nor may the deadline of a decode end one that only waited for a core; tests of the deadline set their own.
decoders.shared = decoders.Decoders(deadline_s=100_000.0)

#: The files that take longest, the longest first: a worker that begins one last works on alone.
LONGEST = (
    "test_every_control.py",
    "test_recipes_run.py",
    "test_retrain_full.py",
    "test_retrain_full_real.py",
    "test_stages.py",
    "test_hostile_load.py",
    "test_killed.py",
    "test_evaluation.py",
    "test_loop_browser.py",
    "test_teach_browser.py",
    "test_weights_check.py",
    "test_train_browser.py",
    "test_photo_input_browser.py",
    "test_retrain_run.py",
    "test_accessible.py",
    "test_load.py",
    "test_postgres.py",
    "test_quiz_browser.py",
    "test_layout_shift.py",
    "test_page_browser.py",
    "test_other_site_browser.py",
    "test_review_browser.py",
    "test_missed_pet_browser.py",
    "test_statistics_browser.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """pytest-xdist keeps our order; by itself it begins with the files of most tests, which are quick."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """The umask of a login shell for each test, because commands tighten that of their process."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True, scope="module")
def no_hub_stays_open() -> Iterator[None]:
    """Each home has an embedded Hub with a thread and open files, and the tests make a thousand homes."""
    yield
    connection.disconnect()


@pytest.fixture(autouse=True, scope="session")
def quick_hashes() -> Iterator[None]:
    """Passwords are hashed as in earnest, but with few rounds: these tests choose hundreds."""
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHash, "recommended", lambda: quick)
        yield


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three photographs with a pet in each, as files."""
    shown = [row for row in rows("scenes") if row["kind"] != "negative"]
    folder = tmp_path_factory.mktemp("photos")
    paths = []
    for n, row in enumerate(shown[:: len(shown) // 3][:3]):
        paths.append(folder / f"rex {n}.jpg")
        paths[-1].write_bytes(row["image"]["bytes"])
    return paths


@pytest.fixture(scope="session")
def photo(photos: list[Path]) -> Path:
    """One photograph with a pet in it."""
    return photos[0]


@dataclass(frozen=True)
class Bad:
    """A file that is no usable photo, and the code every interface must answer."""

    path: Path
    code: str
    status: int


#: Name of the case, suffix, code, status; the bytes are made by `bad_photos`.
BAD = {
    "empty": (".jpg", "empty", 400),
    "text": (".jpg", "unsupported_format", 415),
    "truncated": (".jpg", "truncated", 422),
    "huge": (".png", "too_many_pixels", 413),
    "too_many_bytes": (".jpg", "too_many_bytes", 413),
    "tiny": (".png", "too_small", 422),
}


@pytest.fixture(scope="session")
def bad_photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bad]:
    """Every kind of file that cannot be used, by name."""
    folder = tmp_path_factory.mktemp("bad")
    jpeg = _jpeg()
    content = {
        "empty": b"",
        "text": b"I am a letter, not a photograph.\n" * 10,
        "truncated": jpeg[: len(jpeg) // 2],
        "huge": _png_header(60_000, 60_000),
        "too_many_bytes": jpeg + bytes(MAX_BYTES),
        "tiny": _png_header(3, 3),
    }
    found = {}
    for name, (suffix, code, status) in BAD.items():
        path = folder / f"{name}{suffix}"
        path.write_bytes(content[name])
        found[name] = Bad(path, code, status)
    return found


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server with an empty home."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


def _jpeg() -> bytes:
    from smartbreed.imaging.photo import encode_jpeg

    return encode_jpeg(noise(0, 240, 320))


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="session")
def nursery() -> Iterator[Any]:
    """Processes that kill themselves."""
    from support.nursery import open_nursery  # which imports nearly everything

    with open_nursery() as opened:
        yield opened


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real filesystem of 4 MiB, where root may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]).returncode:
        pytest.skip("no filesystem can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
