"""One publisher at a time on one disk, and the mark that distinguishes disks."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from smartbreed.core.files import PRIVATE_FILE, disk_errors, make_dirs, sync_dir, write_tmp

_MARK, _LOCK = "disk", "lock"


def read_mark(folder: Path) -> str:
    """The disk's mark, 32 hex digits; empty before anything was published from it."""
    with suppress(OSError):
        return (folder / _MARK).read_text("ascii", "replace").strip()[:32]
    return ""


def make_mark(folder: Path) -> str:
    """The disk's mark, made when there is none. Call it with the lock held.

    Raises:
        StorageError: the disk refused.
    """
    if found := read_mark(folder):
        return found
    mark = secrets.token_hex(16)
    with disk_errors("The mark of this disk was not saved"):
        tmp = write_tmp(folder, _MARK, mark.encode())
        os.replace(tmp, folder / _MARK)
        sync_dir(folder)
    return mark


@contextmanager
def only_publisher(folder: Path, patience_s: float = 0.0) -> Iterator[bool]:
    """Hold the disk's lock while the block runs; yields whether it was got.

    The operating system lets go of it when its holder dies, so no clock is involved. Where a
    file system knows no locks, every process gets it: two publishers at once cost time, not rows.

    Args:
        patience_s: seconds to wait for another publisher.

    Raises:
        StorageError: the folder cannot be made.
    """
    with disk_errors("The folder of the shards cannot be used"):
        make_dirs(folder)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        yield _lock(descriptor, patience_s)
    finally:
        os.close(descriptor)  # which unlocks


def _lock(descriptor: int, patience_s: float) -> bool:
    give_up = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return False
            time.sleep(0.05)
        except OSError:
            return True
