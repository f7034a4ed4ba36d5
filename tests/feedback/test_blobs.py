"""The blob store, and the files under it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from smartbreed.core.errors import StorageError
from smartbreed.feedback.blobs import BlobStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def files(store: BlobStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=5000))
def test_what_is_put_comes_back(store: BlobStore, data: bytes) -> None:
    name = store.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert store.get(name) == data
    assert store.exists(name)
    assert store.path(name).relative_to(store.root).parts == (name[:2], name[2:4], name)


def test_putting_twice_is_one_file(store: BlobStore) -> None:
    name = store.put(b"rex")
    before = store.path(name).stat()
    assert store.put(b"rex") == name
    assert files(store) == [store.path(name)]
    assert store.path(name).stat().st_ino == before.st_ino


def test_files_are_private(store: BlobStore) -> None:
    path = store.path(store.put(b"rex"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["", "..", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 64 + "\n", "٣" * 64])
def test_a_name_cannot_leave_the_folder(store: BlobStore, name: str) -> None:
    for method in (store.get, store.path, store.exists, store.delete):
        with pytest.raises(ValueError, match="64 lower-case hex digits"):
            method(name)


def test_missing_and_damaged_are_reported(store: BlobStore) -> None:
    with pytest.raises(StorageError, match="missing"):
        store.get("0" * 64)
    name = store.put(b"a photograph")
    store.path(name).write_bytes(b"a photogrAph")
    with pytest.raises(StorageError, match="damaged"):
        store.get(name)
    assert store.put(b"a photograph") == name  # putting it again repairs it
    assert store.get(name) == b"a photograph"


def test_delete(store: BlobStore) -> None:
    name = store.put(b"rex")
    assert store.delete(name)
    assert not store.delete(name)
    assert not store.exists(name)


def test_the_data_is_flushed_before_the_rename_and_the_folder_after(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(b"first, so that the folders of this store are there")
    events: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor: int) -> None:
        events.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def spy_replace(source: Path, target: Path) -> None:
        events.append(("replace", str(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    target = store.path(store.put(b"rex"))
    renamed = events.index(("replace", str(target)))
    assert any(what == "fsync" and where.endswith(".tmp") for what, where in events[:renamed])
    for folder in target.parents[:3]:
        assert ("fsync", str(folder)) in events[renamed + 1 :]
    events.clear()
    store.put(b"rex")  # who finds a file flushes the folders too: its writer may not have come to it
    assert {where for _, where in events} == {str(folder) for folder in target.parents[:3]}


@pytest.mark.parametrize("call", ["fsync", "replace", "open", "mkdir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG])
def test_a_refusing_disk_leaves_nothing_behind(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(code, os.strerror(code), "/home/ann/secret.jpg")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(StorageError) as caught:
            store.put(b"rex")
    assert caught.value.code == "storage"
    assert "secret" not in caught.value.message
    assert files(store) == []
    assert store.get(store.put(b"rex")) == b"rex"


def test_sweeping_takes_old_unfinished_files_only(store: BlobStore) -> None:
    assert store.sweep_tmp() == 0  # no folder yet
    name = store.put(b"rex")
    old, fresh = store.root / "tmp" / "x.1.tmp", store.root / "tmp" / "y.2.tmp"
    for path in (old, fresh):
        path.write_bytes(b"half")
    hour_ago = time.time() - 3700
    os.utime(old, (hour_ago, hour_ago))
    assert store.sweep_tmp(3600) == 1
    assert files(store) == sorted([fresh, store.path(name)])


def test_older_than(store: BlobStore) -> None:
    old, fresh = store.put(b"old"), store.put(b"fresh")
    hour_ago = time.time() - 3700
    os.utime(store.path(old), (hour_ago, hour_ago))
    assert list(store.older_than(3600)) == [old]
    assert set(store.older_than(0)) == {old, fresh}


def test_many_writers_of_the_same_and_of_different_photos(store: BlobStore) -> None:
    start = threading.Barrier(4)

    def write(_: int) -> set[str]:
        start.wait()
        return {store.put(bytes([number]) * 1000) for number in range(8)}

    with ThreadPoolExecutor(4) as pool:
        names = set.union(*pool.map(write, range(4)))
    assert len(names) == 8
    assert [path.name for path in files(store)] == sorted(names)
    for name in names:
        store.get(name)
