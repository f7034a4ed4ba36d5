"""The lock that allows one publisher at a time on a disk, and the mark that identifies the disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from smartbreed.core.files import disk_errors, make_dirs, only_holder, sync_dir, write_tmp

_MARK, _LOCK = "disk", "lock"


def read_mark(folder: Path) -> str:
    """Return the disk's mark, 32 hex digits; empty before the first publishing run."""
    with suppress(OSError):
        return (folder / _MARK).read_text("ascii", "replace").strip()[:32]
    return ""


def make_mark(folder: Path) -> str:
    """Return the disk's mark; create it if there is none. Call it with the lock held.

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
    """Hold the disk's lock while the block runs; yield whether it was acquired.

    On a file system without locks, two publishers may run at once; that wastes time but loses no rows.

    Args:
        patience_s: seconds to wait for another publisher.

    Raises:
        StorageError: the folder cannot be made.
    """
    with ExitStack() as stack:
        with disk_errors("The folder of the shards cannot be used"):
            make_dirs(folder)
            got_it = stack.enter_context(only_holder(folder / _LOCK, patience_s))
        yield got_it
