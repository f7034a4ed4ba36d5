"""A zip with a folder for each class → photographs; nothing of it is ever unpacked onto the disk."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from smartbreed.core.errors import RequestError
from smartbreed.sources.items import SUFFIXES

#: Most entries that a zip may have, pictures or not.
_ENTRIES = 20_000
#: Largest pictures that all of them may take together, unpacked.
_TOGETHER = 30
_BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError, OSError)


class Packed(NamedTuple):
    """A picture of a zip; ``data`` None: it is larger than its limit, or damaged."""

    label: str
    name: str
    data: bytes | None


def photos_of(file: IO[bytes], *, max_bytes: int, most: int) -> Iterator[Packed]:
    """The pictures of a zip with the folder that each lies in, one after the other.

    Names are never used as paths. What unpacks to more than ``max_bytes`` is not unpacked, and reading
    ends where all together are too much.

    Args:
        file: the zip.
        max_bytes: largest picture.
        most: pictures to read.

    Raises:
        RequestError: ``bad_zip``: it cannot be read, or holds no folder with pictures; ``too_many_photos``.
    """
    try:
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
    except _BROKEN:
        raise RequestError("bad_zip", "This zip cannot be read. Pack the folders once more.") from None
    if len(entries) > _ENTRIES:
        raise RequestError("bad_zip", f"This zip has more than {_ENTRIES:,} files.")
    found = [entry for entry in entries if _label(entry)]
    if not found:
        raise RequestError(
            "bad_zip",
            "This zip holds no folders with pictures. Make a folder for each class and pack those.",
        )
    if len(found) > most:
        raise RequestError(
            "too_many_photos", f"There is room for {most} more photos, and this zip holds {len(found)}."
        )
    left = _TOGETHER * max_bytes
    with archive:
        for entry in found:
            data = None
            if entry.file_size <= max_bytes:
                try:
                    with archive.open(entry) as member:
                        data = member.read(max_bytes + 1)  # the size in its header may be a lie
                except _BROKEN:
                    data = None
            left -= len(data or b"")
            if left < 0:
                raise RequestError("bad_zip", "Unpacked, this zip is too large. Pack smaller photos.")
            fits = data is not None and len(data) <= max_bytes
            yield Packed(_label(entry), PurePosixPath(entry.filename).name, data if fits else None)


def _label(entry: zipfile.ZipInfo) -> str:
    """The folder of a picture; empty for everything else."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    parts = path.parts
    plain = not entry.is_dir() and len(parts) > 1 and not path.is_absolute() and ".." not in parts
    if not plain or parts[0] == "__MACOSX" or path.name.startswith("."):
        return ""
    return parts[-2] if path.suffix.lower() in SUFFIXES else ""
