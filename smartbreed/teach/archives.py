"""A zip with a folder for each class, or with boxes → photographs; nothing is unpacked onto the disk."""

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

#: Most entries that a zip may have, pictures or not.
_ENTRIES = 20_000
#: Largest pictures that all of them may take together, unpacked.
_TOGETHER = 30


class Packed(NamedTuple):
    """A picture of a zip, or a box of one.

    Attributes:
        data: None: it is larger than its limit, or damaged.
        area: the box; None: the whole picture.
        problem: why it is of no use, in a sentence; else empty.
    """

    label: str
    name: str
    data: bytes | None
    area: Area | None = None
    problem: str = ""


def photos_of(file: IO[bytes], *, max_bytes: int, most: int) -> Iterator[Packed]:
    """The pictures of a zip with the folder that each lies in, one after the other.

    Where it holds annotations of COCO or YOLO, the boxes of its pictures with their classes.

    Names are never used as paths. What unpacks to more than ``max_bytes`` is not unpacked, and reading
    ends where all together are too much.

    Args:
        file: the zip.
        max_bytes: largest picture.
        most: pictures to read.

    Raises:
        RequestError: ``bad_zip``: it cannot be read, or holds no folder with pictures; ``bad_boxes``;
            ``too_many_photos``.
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
    """Reads entries into memory, as long as all together are not too much."""

    def __init__(self, archive: zipfile.ZipFile, max_bytes: int) -> None:
        self._archive, self._left = archive, _TOGETHER * max_bytes

    def __call__(self, entry: zipfile.ZipInfo, limit: int) -> bytes | None:
        """None: it is damaged, or larger than the limit."""
        data = None
        if entry.file_size <= limit:
            try:
                with self._archive.open(entry) as member:
                    data = member.read(limit + 1)  # the size in its header may be a lie
            except BROKEN_ZIP:
                data = None
        self._left -= len(data or b"")
        if self._left < 0:
            raise RequestError("bad_zip", "Unpacked, this zip is too large. Pack smaller photos.")
        return data if data is not None and len(data) <= limit else None


def _path(entry: zipfile.ZipInfo) -> str:
    return entry.filename.replace("\\", "/")


def _refused(entry: zipfile.ZipInfo) -> str:
    """Why an entry is not looked at; empty: it is."""
    path = PurePosixPath(_path(entry))
    if path.is_absolute() or ".." in path.parts:
        return "A file in the zip has a name that leads out of it."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "A link in the zip is not followed; pack the photo itself."
    return ""


def _label(name: str) -> str:
    """The folder of a picture; empty for everything else."""
    parts = PurePosixPath(name).parts
    return parts[-2] if len(parts) > 1 and parts[0] != "__MACOSX" and is_picture(name) else ""
