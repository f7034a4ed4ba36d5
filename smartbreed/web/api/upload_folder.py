"""The folder of uploads: old files are deleted, and the total size stays within a quota.

gradio could delete registered files by age. Other files would stay until the restart: aborted uploads, with
all of a photo's metadata, and gradio's own ``deep_links``. So all are deleted here, and gradio deletes files
only when it stops.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from smartbreed.core.errors import StorageError

log = logging.getLogger(__name__)

#: Seconds after which a file is deleted, and after which one that is still being received is.
AGE_S, TEMPORARY_AGE_S = 3600.0, 900.0
#: Seconds between two sweeps.
EVERY_S = 60.0
#: Seconds that a file is kept even if there is no space for new ones: a visitor may be looking at it.
_SPARED_S = 600.0
#: Names of gradio's own files and folders. Other programs may use the same folder.
_OURS = re.compile(r"[0-9a-f]{40,128}|tmp\w*|deep_links")


class UploadFolder:
    """Keeps the folder of uploads within its limits.

    Args:
        folder: gradio's folder for uploads and for the files it makes.
        quota: most bytes in it.
        keep: returns the paths of files that are never deleted, such as the example pictures of a page.
        registers: returns gradio's sets of paths, to which it adds each file that it makes or receives.
    """

    def __init__(
        self, folder: Path, quota: int, keep: Callable[[], Iterable[str]] = tuple,
        registers: Callable[[], Iterable[set[str]]] = tuple,
    ) -> None:  # fmt: skip
        self.folder, self.quota = folder, quota
        self._keep, self._registers = keep, registers
        self._used = 0
        self._lock = threading.Lock()

    def check_space(self) -> None:
        """Measure the folder before an upload is received, and delete old files if it is full.

        Raises:
            StorageError: 507, the folder is still full.
        """
        files = self._files()
        used = sum(size for _, _, size in files)
        if used >= self.quota:
            kept = self._kept()
            for path, changed, size in sorted(files, key=lambda file: file[1]):
                if used < self.quota * 3 // 4 or time.time() - changed < _SPARED_S:
                    break
                if str(path) not in kept and _remove(path):
                    used -= size
        with self._lock:
            self._used = used
        self.add(0)

    def add(self, size: int) -> None:
        """Count ``size`` bytes that are about to be written.

        Raises:
            StorageError: 507, they would exceed the quota.
        """
        with self._lock:
            if self._used + size >= self.quota:
                raise full()
            self._used += size

    def sweep(self, age_s: float = AGE_S, temporary_age_s: float = TEMPORARY_AGE_S) -> int:
        """Delete the files that have not changed for ``age_s`` seconds; return how many they were.

        Files that are still being received have ``temporary_age_s`` instead. Empty folders are removed too,
        and so are, from gradio's sets, the paths of files that no longer exist.
        """
        kept, now, gone = self._kept(), time.time(), 0
        for path, changed, _ in self._files():
            limit = temporary_age_s if path.parent == self.folder else age_s
            if now - changed > limit and str(path) not in kept:
                gone += _remove(path)
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink() and _OURS.fullmatch(path.name):
                    for inner in [*path.rglob("*"), path]:
                        with contextlib.suppress(OSError):  # not empty, or in use
                            if now - inner.lstat().st_mtime > 1:
                                inner.rmdir()
        for paths in self._registers():
            # Other threads add to the set meanwhile, and copying it cannot be interrupted.
            paths.difference_update([one for one in paths.copy() if not os.path.lexists(one)])
        return gone

    def _kept(self) -> set[str]:
        return {str(path) for path in self._keep()}

    def _files(self) -> list[tuple[Path, float, int]]:
        """Return the path, the time of the last change and the size of every file."""
        found = []
        for path in _walk(self.folder):
            with contextlib.suppress(OSError):  # deleted meanwhile
                status = path.lstat()
                found.append((path, max(status.st_mtime, status.st_ctime), status.st_size))
        return found


def full() -> StorageError:
    """Return the error for an upload that does not fit into the quota."""
    error = StorageError("There is no room for further photos now. Try again in ten minutes.")
    error.status = 507
    return error


def _walk(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if not _OURS.fullmatch(path.name) or path.is_symlink():
                continue
            yield from (one for one in path.rglob("*") if not one.is_dir()) if path.is_dir() else [path]


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
