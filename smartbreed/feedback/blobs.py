"""Photographs on disk, each named by the sha256 of its bytes; those that no flag needs are deleted.

A blob is written to ``tmp/``, flushed and renamed, so that a name never stands for half
a file. Layout: ``ab/cd/abcd…``, plus ``tmp/`` for files being written (on the same
filesystem, or the rename would be a copy). A photo is flushed before its row is committed,
so a crash in between leaves a photo without a row. A row without a photo cannot happen,
except for withdrawn flags.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from smartbreed.core.database import Sessions, write
from smartbreed.core.errors import StorageError
from smartbreed.core.files import disk_errors, make_dirs, replace_durably, sweep_tmp, sync_dir, write_tmp
from smartbreed.feedback.tables import Flag

_NAME = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Content-addressed files under one folder; safe for any number of threads and processes.

    Args:
        root: folder of the store, created with its first blob.
        what: what messages call a blob.
    """

    def __init__(self, root: Path, what: str = "photo") -> None:
        self.root = root
        self._what = what
        self._tmp = root / "tmp"

    def path(self, sha256: str) -> Path:
        """Return the path where a blob is or would be stored.

        Raises:
            ValueError: not 64 lower-case hex digits (so that no name can leave the folder).
        """
        if not _NAME.fullmatch(sha256):
            raise ValueError(f"A blob is named by 64 lower-case hex digits. Received: {sha256!r}")
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def exists(self, sha256: str) -> bool:
        """Return whether a blob of that name exists (its content is not read)."""
        return self.path(sha256).is_file()

    def put(self, data: bytes) -> str:
        """Store `data` so that it survives a power cut.

        Putting the same bytes again writes nothing, unless the disk has damaged the stored copy.

        Returns:
            The sha256 of `data`, 64 hex digits.

        Raises:
            StorageError: the disk is full or failed; nothing was left behind.
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
        """Return the bytes of a blob, checked against its name.

        Raises:
            StorageError: the blob is missing, unreadable or damaged.
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
        """Delete a blob for good; return False if there was none.

        Raises:
            StorageError: the disk failed.
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
        """Yield the names of blobs written at least `seconds` ago, in no particular order."""
        newest = time.time() - seconds
        for path in self.root.glob("??/??/*"):
            with suppress(FileNotFoundError):
                if _NAME.fullmatch(path.name) and path.stat().st_mtime <= newest:
                    yield path.name

    def sweep_tmp(self, older_than_s: float = 3600.0) -> int:
        """Delete files that a crash left half-written; return how many.

        Args:
            older_than_s: age in seconds below which a file may still be being written.

        Raises:
            StorageError: the disk failed.
        """
        with disk_errors("Unfinished files were not removed"):
            return sweep_tmp(self._tmp, older_than_s)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


#: Photos checked in one transaction. No flag can be saved meanwhile, so it must stay short.
_BATCH = 100


def collect_orphans(
    blobs: BlobStore, sessions: Sessions, *, older_than_s: float = 3600.0, since: float = 0.0
) -> int:
    """Delete unfinished files and photos that have no flags, or only withdrawn ones; return how many photos.

    Safe while flags are being saved: the database's write lock is held from the check
    to the deletion, and a save that finds its photo gone writes it again.

    Args:
        older_than_s: age in seconds below which a photo may still be waiting for its row.
        since: Unix time; photos without a row that were written earlier are kept.

    Raises:
        StorageError: the disk or the database failed; calling again continues.
    """
    blobs.sweep_tmp(older_than_s)
    names = blobs.older_than(older_than_s)
    deleted = 0
    while batch := list(islice(names, _BATCH)):
        with write(sessions) as session:
            rows = session.execute(sa.select(Flag.sample_id, Flag.state).where(Flag.sample_id.in_(batch)))
            states: dict[str, set[str]] = {}
            for name, state in rows:
                states.setdefault(name, set()).add(state)
            for name in batch:
                found = states.get(name)
                if found == {"withdrawn"} or (found is None and _written(blobs, name) >= since):
                    deleted += blobs.delete(name)
    return deleted


def _written(blobs: BlobStore, name: str) -> float:
    with suppress(FileNotFoundError):
        return blobs.path(name).stat().st_mtime
    return 0.0
