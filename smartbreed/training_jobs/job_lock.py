"""One retraining at a time on this SMARTBREED_HOME, whichever process starts it and whichever dies.

The lock is the kernel's (``flock``) and belongs to the *trainer's* process, which
inherits the open file: it is held exactly as long as that process lives, also when the
app that started it has been killed, and falls the moment it is killed itself. The
file's content says which job holds it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smartbreed.core.files import PRIVATE_FILE, disk_errors

_MAX_NAME = 200
#: A reader holds the lock for microseconds; a starter waits that long for it.
_PATIENCE_S = 0.5


class JobLock:
    """Args:
    path: the lock file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def take(self, job: str) -> Iterator[int | None]:
        """Try to become the holder for `job`.

        Yields:
            A file descriptor to hand to the child, which keeps the lock as long as any
            process has it open; None when another job holds it. Ours is closed at the
            end of the block.

        Raises:
            StorageError: the disk refused.
        """
        with disk_errors("The retraining could not start"):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            if not _lock(descriptor, fcntl.LOCK_EX, _PATIENCE_S):
                yield None
                return
            with disk_errors("The retraining could not start"):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, job.encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def holder(self) -> str | None:
        """The job that runs now, in whatever process; None when none does."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            # Shared, so that any number can look at once.
            if _lock(descriptor, fcntl.LOCK_SH, 0.0):
                return None
            return os.pread(descriptor, _MAX_NAME, 0).decode(errors="replace")
        finally:
            os.close(descriptor)


def _lock(descriptor: int, kind: int, patience_s: float) -> bool:
    give_up = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return False
            time.sleep(0.01)
