"""Temporary folders that do not outlive their process, however it ends.

``tempfile.TemporaryDirectory`` leaves its files behind when the process is killed, and
those files may be photographs that must be erased. Here the process that uses a folder
holds the kernel's lock on it; `sweep` removes every folder whose lock is free.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from smartbreed.core.files import PRIVATE_DIR, disk_errors, make_dirs


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Create a private folder under `parent` that is deleted after the block.

    Args:
        parent: created if it is missing.
        prefix: start of the folder's name, by which `sweep` finds it.

    Raises:
        StorageError: the folder cannot be made.
    """
    with disk_errors("A temporary folder cannot be made"):
        make_dirs(parent)
        folder, descriptor = _make(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep(parent: Path, prefix: str) -> int:
    """Remove the folders of processes that have ended; return how many were removed. Never raises.

    Only folders of this user are removed. A folder in use is left alone, and so is every
    folder on a file system without locks.
    """
    swept = 0
    with suppress(OSError):
        for path in sorted(parent.glob(f"{prefix}*")):
            with suppress(OSError):
                swept += _remove_unused(path)
    return swept


def _make(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(8)}"
        folder.mkdir(mode=PRIVATE_DIR)
        with suppress(FileNotFoundError, BlockingIOError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with _without_locks():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.is_dir():  # else a sweep removed it before it was locked
                    return folder, descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


@contextmanager
def _without_locks() -> Iterator[None]:
    """Ignore the error of a file system without locks, but not that of a lock that is held."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError:
        pass


def _remove_unused(path: Path) -> bool:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    finally:
        os.close(descriptor)
