"""Photographs on disk, each named by the sha256 of its bytes.

A blob is written beside its final place, flushed and renamed, so a name never
stands for half a file. Layout: ``ab/cd/abcd…`` plus ``tmp/`` for what is being
written (the same filesystem, or the rename would be a copy).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from smartbreed.core.errors import StorageError
from smartbreed.core.files import disk_errors, make_dirs, replace_durably, sweep_tmp, sync_dir, write_tmp

_NAME = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Content-addressed files under one folder; safe for any number of threads and processes.

    Args:
        root: folder of the store, created with its first blob.
        what: what a blob is, for messages.
    """

    def __init__(self, root: Path, what: str = "photo") -> None:
        self.root = root
        self._what = what
        self._tmp = root / "tmp"

    def path(self, sha256: str) -> Path:
        """Where the blob lies or would lie.

        Raises:
            ValueError: not 64 lower-case hex digits (so no name can leave the folder).
        """
        if not _NAME.fullmatch(sha256):
            raise ValueError(f"A blob is named by 64 lower-case hex digits. Received: {sha256!r}")
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def exists(self, sha256: str) -> bool:
        """Whether a blob of that name is there (its content is not read)."""
        return self.path(sha256).is_file()

    def put(self, data: bytes) -> str:
        """Store `data` so that it survives a power cut.

        Putting the same bytes again writes nothing, and repairs a copy the disk has damaged.

        Returns:
            The sha256 of `data`, 64 hex digits.

        Raises:
            StorageError: the disk is full or refused; nothing was left behind.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        with disk_errors(f"The {self._what} was not saved"):
            if _read(target) == data:
                # The process that renamed it may not have flushed the folders yet.
                for folder in target.parents[:3]:
                    sync_dir(folder)
                return sha256
            make_dirs(self._tmp)
            make_dirs(target.parent)
            replace_durably(write_tmp(self._tmp, sha256, data), target)
            for folder in target.parents[1:3]:
                sync_dir(folder)  # another process may have made these, and not flushed them yet
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a blob, checked against its name.

        Raises:
            StorageError: missing, unreadable or damaged.
            ValueError: not a blob's name.
        """
        with disk_errors(f"The stored {self._what} cannot be read"):
            data = _read(self.path(sha256))
        if data is None:
            raise StorageError(f"The stored {self._what} {sha256[:12]} is missing.")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(f"The stored {self._what} {sha256[:12]} is damaged; restore it from a backup.")
        return data

    def delete(self, sha256: str) -> bool:
        """Remove a blob for good; False when it was not there.

        Raises:
            StorageError: the disk refused.
        """
        target = self.path(sha256)
        with disk_errors(f"The stored {self._what} was not deleted"):
            try:
                target.unlink()
            except FileNotFoundError:
                return False
            sync_dir(target.parent)
        return True

    def older_than(self, seconds: float) -> Iterator[str]:
        """Names of the blobs written at least `seconds` ago, in no particular order."""
        newest = time.time() - seconds
        for path in self.root.glob("??/??/*"):
            with suppress(FileNotFoundError):
                if _NAME.fullmatch(path.name) and path.stat().st_mtime <= newest:
                    yield path.name

    def sweep_tmp(self, older_than_s: float = 3600.0) -> int:
        """Delete what a crash left half-written; how many files went.

        Args:
            older_than_s: age in seconds below which a file may still have its writer.

        Raises:
            StorageError: the disk refused.
        """
        with disk_errors("Unfinished files were not removed"):
            return sweep_tmp(self._tmp, older_than_s)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
