"""Find the photographs in folders, patterns and zips of this machine, in order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path, PurePosixPath

from smartbreed.core.archives import BROKEN_ZIP
from smartbreed.sources.items import SUFFIXES, Item, Member, Remote, no_source, open_zip


def is_picture(name: str) -> bool:
    """Return whether a file in a folder or zip counts as a photo, judging by its name."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def walk(folder: Path) -> Iterator[Item]:
    """Yield the photos of a folder and its subfolders; the innermost subfolder is the label."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if is_picture(name):
                path = Path(root, name)
                yield Item(
                    path.relative_to(folder).as_posix(),
                    path,
                    "" if path.parent == folder else path.parent.name,
                )


def matches(pattern: str) -> Iterator[Item]:
    """Yield the files that a pattern matches.

    Names and labels are those below the part of the pattern before its first wildcard. Matched folders are
    searched, unless the match ends with ``/`` or the pattern contains ``**``.
    """
    fixed = takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    root = Path(*fixed)

    def item(path: Path) -> Item:
        name = PurePosixPath(Path(os.path.relpath(path, root)).as_posix())
        return Item(str(name), path, name.parent.name)

    for match in sorted(glob.glob(pattern, recursive=True)):
        if os.path.isdir(match):
            if not match.endswith(("/", os.sep)) and "**" not in pattern:
                for found in walk(Path(match)):
                    assert isinstance(found.where, Path)
                    yield item(found.where)
        else:
            yield item(Path(match))


def entries(archive: Path | Remote) -> list[Item]:
    """Return the pictures in a zip; names of entries are never used as paths.

    Raises:
        RequestError: ``no_source``: the zip cannot be read.
    """
    try:
        with open_zip(archive) as opened:
            names = [entry.filename for entry in opened.infolist() if not entry.is_dir()]
    except BROKEN_ZIP:
        raise no_source("This zip cannot be read. Pack the photos once more.") from None
    return [
        Item(name, Member(archive, name), PurePosixPath(name).parent.name)
        for name in names
        if is_picture(name) and PurePosixPath(name).parts[0] != "__MACOSX"
    ]
