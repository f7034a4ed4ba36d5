"""Files that could run when they are opened are refused, whatever they are called."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import make_bundle

from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle, write_config
from smartbreed.inference.contents import check_contents, check_folder
from smartbreed.registry.releases import verify


def by_kind(value: object) -> str | None:
    """Bytes have no place in a test's name: those of an archive hold the time."""
    return "bytes" if isinstance(value, bytes) else None


class Trap:
    """Unpickling it would be noticed."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise AssertionError('something was unpickled')",)


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def spoilt(name: str, content: bytes, kind: int) -> bytes:
    """An archive with one compressed member whose data were overwritten."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as made:
        made.writestr(name, content)
    found = bytearray(buffer.getvalue())
    start = 30 + len(name)
    found[start : start + 16] = b"\xff" * 16
    return bytes(found)


COMPRESSED = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
LAYERS = json.dumps(
    {"config": {"layers": [{"class_name": "Lambda", "config": {"function": "os.system"}}]}}
).encode()
DENSE = json.dumps({"config": {"layers": [{"class_name": "Dense"}]}}).encode()
OBJECTS = np.array([Trap()], dtype=object)
MIXED = np.array([(1, Trap())], dtype=[("number", "<i4"), ("thing", "O")])


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("weights.pkl", b"anything", "pickled"),
        ("model.pt", b"anything", "pickled"),
        ("notes.txt", pickle.dumps({"a": Trap()}), "pickled"),
        ("notes.txt", pickle.dumps([Trap()], protocol=2), "pickled"),
        ("notes.txt", pickle.dumps(Trap(), protocol=5), "pickled"),
        ("replay.npz", npz(trap=OBJECTS), "pickled"),
        ("replay.npz", npz(fine=np.zeros(3), trap=MIXED), "pickled"),
        ("replay.npz", archive(setup__py=b"print()"), "something else"),
        ("replay.npz", b"PK\x03\x04 cut short", "damaged"),
        ("data.tar", archive(a=b""), "archive"),
        ("setup.py", b"print()", "program"),
        ("README", b"#!/bin/sh\nrm -rf ~\n", "program"),
        ("classifier.tflite", b"\x7fELF" + bytes(60), "program"),
        ("picture.png", b"MZ\x90\0", "program"),
        ("classifier.keras", archive(config__json=LAYERS), "Lambda"),
        ("classifier.keras", archive(config__json=DENSE), "whole model"),
        ("classifier.keras", b"not even an archive", "whole model"),
        ("classifier.h5", b"\x89HDF\r\n\x1a\n" + LAYERS, "Lambda"),
        ("classifier.h5", b"\x89HDF\r\n\x1a\n", "whole model"),
        ("classifier.weights.h5", b"\x89HDF\r\n\x1a\n....model_config...." + DENSE, "whole model"),
        ("classifier.weights.h5", b"\x89HDF\r\n\x1a\n" + LAYERS, "Lambda"),
        ("saved_model.pb", b"", "whole model"),
    ],
    ids=by_kind,
)
def test_refused(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BundleError, match=word) as caught:
        check_contents(tmp_path / name, name)
    assert name in caught.value.message
    with pytest.raises(BundleError, match=word):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("replay.npz", npz(embeddings=np.zeros((3, 4), np.int8), names=np.array(["pug", "OTTER"]))),
        ("replay.npz", npz(rows=np.zeros(2, dtype=[("Order", "<i4")]))),
        ("README.md", b"---\nlicense: mit\n---\n#!not at the start\n"),
        (".gitattributes", b"*.tflite filter=lfs\n"),
        ("LICENSE", b""),
    ],
    ids=by_kind,
)
def test_taken(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    check_folder(tmp_path)


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize(
    ("name", "member", "word"),
    [
        ("replay.npz", "names.npy", "damaged"),
        ("classifier.tflite", "labels.txt", "cannot be read"),
        ("classifier.keras", "config.json", "whole model"),
    ],
)
def test_damaged_compressed_data_is_refused_in_words(
    tmp_path: Path, name: str, member: str, word: str, kind: int
) -> None:
    before = b"\x1c\0\0\0TFL3" if name.endswith(".tflite") else b""  # a network's texts stand behind it
    (tmp_path / name).write_bytes(before + spoilt(member, b"pug boxer " * 1000, kind))
    with pytest.raises(BundleError, match=word):
        check_contents(tmp_path / name, name)


def test_the_model_that_ships_is_taken() -> None:
    check_folder(EMBEDDED_BUNDLE)


@settings(max_examples=300)
@given(
    st.sampled_from(["a.npz", "a.keras", "a.weights.h5", "a.npy", "a.tflite", "a.txt"]),
    st.sampled_from(
        [b"", b"PK\x03\x04", b"\x80\x04\x95", b"\x93NUMPY\x01\0", b"\x89HDF", struct.pack("<I", 28) + b"TFL3"]
    ),
    st.binary(max_size=200),
)
def test_nothing_but_a_refusal_comes_of_garbage(
    tmp_path_factory: pytest.TempPathFactory, name: str, start: bytes, rest: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(start + rest)
    with contextlib.suppress(BundleError):
        check_contents(path, name)


def test_a_listed_file_is_looked_into(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", "7.1.0")
    (folder / "replay.npz").write_bytes(npz(trap=OBJECTS))
    write_config(folder, json.loads((folder / "config.json").read_text()))
    with pytest.raises(BundleError, match="pickled"):
        load_bundle(folder)


def test_a_downloaded_file_that_is_not_listed_too(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle", "7.1.0")
    verify(folder, "me/pets", "a" * 40)
    (folder / "extra").mkdir()
    (folder / "extra" / "optimizer.pkl").write_bytes(pickle.dumps(Trap()))
    load_bundle(folder)  # nothing of it is ever opened
    with pytest.raises(BundleError, match=r"extra/optimizer\.pkl"):
        verify(folder, "me/pets", "a" * 40)
