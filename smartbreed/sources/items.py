"""A photograph that has not been read yet, and a source of many."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from smartbreed.core.archives import BROKEN_ZIP
from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.imaging.photo import check_bytes, read_file

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

#: Suffixes of photos in a folder; a file named explicitly is tried whatever its suffix.
SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".avif",
        ".mpo",
    ]
)


class Remote(NamedTuple):
    """A file that fsspec reads: protocol, path, and the options for its file system."""

    protocol: str
    path: str
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def fs(self) -> AbstractFileSystem:
        """The file system; fsspec returns the same one every time."""
        import fsspec  # slow to import, and most photos are files of this machine

        return fsspec.filesystem(self.protocol, **dict(self.options))


class Member(NamedTuple):
    """An entry of a zip."""

    archive: Path | Remote
    entry: str


@dataclass(frozen=True)
class Item:
    """A photograph that has not been read yet; it can be sent to another process.

    Attributes:
        name: its path below the source, or the name of the table and number of the row.
        where: its bytes, or where to read them.
        label: what it shows according to the source; empty if the source does not say.
    """

    name: str
    where: bytes | Path | Remote | Member = field(repr=False)
    label: str = ""

    def read(self, max_bytes: int) -> bytes:
        """Return the photo's bytes, at least one and at most ``max_bytes``.

        Raises:
            PhotoError: the file is missing, empty or too large, or cannot be read.
        """
        if isinstance(self.where, Path):
            data = read_file(self.where, max_bytes)
        elif isinstance(self.where, Remote):
            data = _read_remote(self.where, max_bytes)
        elif isinstance(self.where, Member):
            data = _read_member(self.where, max_bytes)
        else:
            data = self.where
        check_bytes(len(data), max_bytes)
        return data


@dataclass(frozen=True)
class Source:
    """A source of photographs.

    Attributes:
        name: its name, without the folders above it.
        total: number of photos; None if unknown.
        stamp: changes when the source changes; empty if changes cannot be detected.
        start_at: yields the photos from a number on, always in the same order.
        exists: returns whether the source can still be reached.
    """

    name: str
    total: int | None
    stamp: str
    start_at: Callable[[int], Iterator[Item]] = field(repr=False)
    exists: Callable[[], bool] = field(repr=False, default=lambda: True)

    @property
    def photos(self) -> Iterator[Item]:
        """All photos, from the first on."""
        return self.start_at(0)


def no_source(sentence: str) -> RequestError:
    """Return the error for a source that cannot be opened."""
    return RequestError("no_source", sentence)


def _read_remote(where: Remote, max_bytes: int) -> bytes:
    # "from None": the errors of file systems may contain keys.
    try:
        with where.fs.open(where.path, "rb") as file:
            return bytes(file.read(max_bytes + 1))
    except FileNotFoundError:
        raise PhotoError("not_found", "There is no file at this address.") from None
    except Exception:  # file systems may raise anything
        raise PhotoError("unreadable", "The file at this address cannot be read.") from None


def _read_member(where: Member, max_bytes: int) -> bytes:
    try:
        with _archive(where.archive, _version(where.archive)).open(where.entry) as member:
            return member.read(max_bytes + 1)  # the size in its header may be wrong
    except FileNotFoundError:
        raise PhotoError("not_found", "The zip is gone.") from None
    except (*BROKEN_ZIP, KeyError):
        raise PhotoError("damaged", "This entry of the zip is damaged or encrypted.") from None


@lru_cache(2)
def _archive(where: Path | Remote, version: tuple[int, ...]) -> zipfile.ZipFile:
    return open_zip(where)


def _version(where: Path | Remote) -> tuple[int, ...]:
    """Return what changes when a zip of this machine is replaced, so that the old one is not read on."""
    if isinstance(where, Remote):
        return ()
    found = where.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def open_zip(where: Path | Remote) -> zipfile.ZipFile:
    """Open a zip; its entries can be read by several threads at once."""
    return zipfile.ZipFile(where.fs.open(where.path, "rb") if isinstance(where, Remote) else where)
