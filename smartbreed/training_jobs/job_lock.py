"""The lock that allows one retraining at a time on a SMARTBREED_HOME, whichever process starts it.

It is a kernel lock (``flock``) that belongs to the *trainer's* process, which inherits the open
file. It is therefore held exactly as long as the trainer lives, even if the app that started it is
killed, and it is released at once if the trainer is killed. The file's content names the job that
holds it.

A job has a second lock of this kind, which belongs to the process that started it: see
`smartbreed.training_jobs.jobs.Jobs.close`.
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
#: Seconds that `JobLock.take` waits: a reader holds the lock for microseconds.
_PATIENCE_S = 0.5


class JobLock:
    """The lock file of a home's retrainings, or of the process that started one.

    Args:
        path: the lock file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def take(self, job: str) -> Iterator[int | None]:
        """Try to acquire the lock for `job`.

        Yields:
            A file descriptor for the child to inherit; the lock is held as long as any process
            has it open. None if another job holds the lock. This process closes the descriptor
            at the end of the block.

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
        """Return the id of the running job, whichever process started it; None if none is running."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            # Shared, so that any number of readers can check at once.
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
