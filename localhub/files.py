"""File contents on disk, each named by the sha256 of its bytes.

A file is written under ``tmp/``, flushed, then renamed into ``blobs/ab/``, so that a name never stands for
half a file, whichever process is killed. The mtime of a file is the last time that an upload used it, which
keeps garbage collection away from uploads in progress.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from localhub.errors import StorageError
from localhub.names import is_sha256

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this program may not write there; check the owner of its folder",
    errno.EPERM: "this program may not write there; check the owner of its folder",
    errno.EMFILE: "too many files are open; try again",
    errno.EIO: "the disk reported a fault",
}


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn an `OSError` inside the block into a `StorageError`.

    Raises:
        StorageError: its message contains no path.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or f"the disk refused ({error.strerror or 'unknown fault'})"
        raise StorageError(f"The Hub could not use its files: {reason}.") from error


class Files:
    """The file contents of one store; safe for any number of threads and processes.

    Args:
        root: folder of the store; ``blobs/`` and ``tmp/`` are created in it.

    Raises:
        StorageError: the disk failed.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._tmp = root / "tmp"
        with disk_errors():
            for folder in (root, self._blobs, self._tmp):
                _make_dirs(folder)

    def path(self, sha256: str) -> Path:
        """Return the path where a content is stored, or would be.

        Raises:
            ValueError: not 64 lower-case hex digits (so no name can leave the folder).
        """
        if not is_sha256(sha256):
            raise ValueError(f"A content is named by 64 lower-case hex digits. Received: {sha256!r}")
        return self._blobs / sha256[:2] / sha256

    def size(self, sha256: str) -> int | None:
        """Return the size of a content in bytes; None if it is not stored.

        Raises:
            StorageError: the disk failed.
        """
        with disk_errors():
            try:
                return self.path(sha256).stat().st_size
            except FileNotFoundError:
                return None

    def age(self, sha256: str) -> float:
        """Return the seconds since a content was last written or claimed; 0 if it is not stored.

        Raises:
            StorageError: the disk failed.
        """
        with disk_errors():
            try:
                return time.time() - self.path(sha256).stat().st_mtime
            except FileNotFoundError:
                return 0.0

    def claim(self, sha256: str) -> int | None:
        """Like `size`, but restart the grace period of the content, because it is about to be used."""
        path = self.path(sha256)
        with disk_errors():
            try:
                os.utime(path)
                # The process that renamed it may not have flushed the folder yet.
                _sync_dir(path.parent)
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def put(self, data: bytes) -> str:
        """Store bytes so that they survive a power cut; return their sha256.

        If they are stored already, nothing is written, unless the copy on disk is damaged.

        Raises:
            StorageError: the disk failed; nothing is left behind.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        if self.claim(sha256) != len(data) or not self.intact(sha256):
            with self.writer() as writer:
                writer.write(data)
                writer.keep(sha256)
        return sha256

    def writer(self) -> Writer:
        """Return a `Writer` of a new file, which hashes it while writing; use it in a ``with`` block."""
        return Writer(self, self._tmp / f"{secrets.token_hex(12)}.tmp")

    def read(self, sha256: str) -> bytes:
        """Read a whole content and verify its hash.

        Raises:
            StorageError: the content is missing or damaged.
        """
        with disk_errors():
            data = self.path(sha256).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(f"The stored file {sha256[:12]} is damaged; restore it from a backup.")
        return data

    def intact(self, sha256: str) -> bool:
        """True if a content is stored and its bytes still match its sha256.

        Raises:
            StorageError: the disk failed.
        """
        with disk_errors():
            try:
                with self.path(sha256).open("rb") as file:
                    return hashlib.file_digest(file, "sha256").hexdigest() == sha256
            except FileNotFoundError:
                return False

    def delete(self, sha256: str) -> int:
        """Delete a content for good; return the number of bytes freed, 0 if it was not stored."""
        path = self.path(sha256)
        with disk_errors():
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                return 0
            _sync_dir(path.parent)
        return size

    def older_than(self, seconds: float) -> Iterator[str]:
        """Yield the names of contents that were not written or claimed for `seconds`.

        Raises:
            StorageError: the disk failed.
        """
        newest = time.time() - seconds
        for path in self._blobs.glob("??/*"):
            old = False
            with disk_errors(), suppress(FileNotFoundError):
                old = is_sha256(path.name) and path.stat().st_mtime <= newest
            if old:
                yield path.name

    def sweep_tmp(self, older_than_s: float) -> int:
        """Delete the files that a crash left half-written; return how many they were."""
        newest = time.time() - older_than_s
        swept = 0
        with disk_errors():
            for path in self._tmp.glob("*.tmp"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime <= newest:
                        path.unlink()
                        swept += 1
        return swept


class Writer:
    """A file being written. It is deleted after the ``with`` block unless `keep` was called."""

    def __init__(self, files: Files, tmp: Path) -> None:
        self._files = files
        self._path = tmp
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> Writer:
        with disk_errors():
            self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        return self

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            StorageError: the disk failed.
        """
        with disk_errors():
            self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def keep(self, sha256: str) -> None:
        """Flush the file and move it to its final name.

        Raises:
            ValueError: the bytes do not have this sha256.
            StorageError: the disk failed.
        """
        if self.sha256 != sha256:
            raise ValueError(f"The bytes have sha256 {self.sha256}, not {sha256}")
        target = self._files.path(sha256)
        with disk_errors():
            self._file.flush()
            os.fsync(self._file.fileno())
            _make_dirs(target.parent)
            os.replace(self._path, target)
            _sync_dir(target.parent)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink()


def _sync_dir(folder: Path) -> None:
    """Flush the entries of `folder`. Before that, a renamed file may vanish in a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_dirs(folder: Path) -> None:
    """Create `folder` and its parents, closed to other users, and flush each new entry to disk."""
    if folder.is_dir():
        return
    _make_dirs(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_dir(folder.parent)
