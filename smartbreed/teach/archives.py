"""Read labelled photos from a zip with class folders or boxes, without unpacking anything to disk."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from smartbreed.core.archives import BROKEN_ZIP
from smartbreed.core.errors import RequestError
from smartbreed.sources.annotations import Area, boxes_of
from smartbreed.sources.files import is_picture

#: Most entries of a zip, pictures or not.
_ENTRIES = 20_000
#: Limit on the unpacked size of all pictures together, as a multiple of the largest allowed picture.
_TOGETHER = 30


class Packed(NamedTuple):
    """A labelled picture of a zip, or a labelled box in one.

    Attributes:
        data: bytes of the picture; None if it is too large, damaged or unusable.
        area: the box; None for the whole picture.
        problem: why it is unusable, in a sentence; else empty.
    """

    label: str
    name: str
    data: bytes | None
    area: Area | None = None
    problem: str = ""


def photos_of(file: IO[bytes], *, max_bytes: int, most: int) -> Iterator[Packed]:
    """Yield the pictures of a zip, each labelled with its folder's name.

    If the zip holds COCO or YOLO annotations, yield their boxes with the class of each instead.

    Names are never used as paths. An entry larger than ``max_bytes`` is not unpacked.

    Args:
        file: the zip.
        max_bytes: largest allowed picture, in bytes.
        most: most pictures or boxes allowed.

    Raises:
        RequestError: ``bad_zip`` if the zip cannot be read, has too many entries, unpacks to too much or has
            no folder with pictures; ``bad_boxes``; ``too_many_photos``.
    """
    try:
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
    except BROKEN_ZIP:
        raise RequestError("bad_zip", "This zip cannot be read. Pack the folders once more.") from None
    if len(entries) > _ENTRIES:
        raise RequestError("bad_zip", f"This zip has more than {_ENTRIES:,} files.")
    with archive:
        unpack = _Unpack(archive, max_bytes)
        plain = {_path(entry): entry for entry in entries if not _refused(entry)}
        boxes = boxes_of(list(plain), lambda name, limit: unpack(plain[name], limit) or b"")
        for entry in entries:
            if is_picture(entry.filename) and (problem := _refused(entry)):
                yield Packed("", "", None, problem=problem)
        if boxes is None:
            yield from _folders(plain, unpack, max_bytes, most)
            return
        _check_count(sum(not one.problem for one in boxes), most)
        for picture, some in groupby(boxes, key=lambda one: one.picture):
            wanted = list(some)
            data = unpack(plain[picture], max_bytes) if any(not one.problem for one in wanted) else None
            for one in wanted:
                yield Packed(one.label, PurePosixPath(picture).name, data, one.area, one.problem)


def _folders(
    plain: dict[str, zipfile.ZipInfo], unpack: _Unpack, max_bytes: int, most: int
) -> Iterator[Packed]:
    found = [(path, entry) for path, entry in plain.items() if _label(path)]
    if not found:
        raise RequestError(
            "bad_zip",
            "This zip holds no folders with pictures. Make a folder for each class and pack those.",
        )
    _check_count(len(found), most)
    for path, entry in found:
        yield Packed(_label(path), PurePosixPath(path).name, unpack(entry, max_bytes))


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise RequestError(
            "too_many_photos", f"There is room for {most} more photos, and this zip holds {count}."
        )


class _Unpack:
    """Reads entries into memory, and raises ``bad_zip`` once their total size is too large."""

    def __init__(self, archive: zipfile.ZipFile, max_bytes: int) -> None:
        self._archive, self._left = archive, _TOGETHER * max_bytes

    def __call__(self, entry: zipfile.ZipInfo, limit: int) -> bytes | None:
        """Return the bytes of an entry; None if it is damaged or larger than ``limit``."""
        data = None
        if entry.file_size <= limit:
            try:
                with self._archive.open(entry) as member:
                    data = member.read(limit + 1)  # the size in the header may be false
            except BROKEN_ZIP:
                data = None
        self._left -= len(data or b"")
        if self._left < 0:
            raise RequestError("bad_zip", "Unpacked, this zip is too large. Pack smaller photos.")
        return data if data is not None and len(data) <= limit else None


def _path(entry: zipfile.ZipInfo) -> str:
    return entry.filename.replace("\\", "/")


def _refused(entry: zipfile.ZipInfo) -> str:
    """Return why an entry is not read, in a sentence; empty if it is."""
    path = PurePosixPath(_path(entry))
    if path.is_absolute() or ".." in path.parts:
        return "A file in the zip has a name that leads out of it."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "A link in the zip is not followed; pack the photo itself."
    return ""


def _label(name: str) -> str:
    """Return the name of the folder that a picture is in; empty for everything else."""
    parts = PurePosixPath(name).parts
    return parts[-2] if len(parts) > 1 and parts[0] != "__MACOSX" and is_picture(name) else ""
