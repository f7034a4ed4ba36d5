"""Files, folders, patterns and ``-`` on a command line → the photos they stand for, in order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from smartbreed.core.errors import RequestError

STDIN = "-"
#: What counts as a photo in a folder; a file named outright is tried whatever it is called.
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


@dataclass(frozen=True)
class PhotoFile:
    """A photo to read.

    Attributes:
        path: where it is; None for standard input.
        name: its base name; for a file found in a folder, its path below that folder.
    """

    path: Path | None
    name: str


def expand(arguments: Sequence[str]) -> list[PhotoFile]:
    """Every photo, in the order of the arguments and, within each, of the names.

    Raises:
        RequestError: ``nothing_matched``: an argument stands for no photo at all; ``stdin_twice``.
    """
    if list(arguments).count(STDIN) > 1:
        raise RequestError("stdin_twice", "Standard input (-) can be read only once.")
    return [source for argument in arguments for source in _expand(argument)]


def _expand(argument: str) -> Iterator[PhotoFile]:
    if argument == STDIN:
        yield PhotoFile(None, "")
    elif os.path.isdir(argument):
        yield from _some(_walk(Path(argument)), f"There is no photo in the folder {argument!r}.")
    elif not os.path.lexists(argument) and glob.has_magic(argument):
        # Shells on Windows, and quotes, leave a pattern to us.
        yield from _some(_matches(argument), f"Nothing matches {argument!r}.")
    else:
        yield PhotoFile(Path(argument), Path(argument).name)


def _walk(folder: Path) -> Iterator[PhotoFile]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                yield PhotoFile(path, path.relative_to(folder).as_posix())


def _matches(pattern: str) -> Iterator[PhotoFile]:
    for match in sorted(glob.glob(pattern, recursive=True)):
        if os.path.isdir(match):
            if not match.endswith(("/", os.sep)) and "**" not in pattern:
                yield from _walk(Path(match))
        else:
            yield PhotoFile(Path(match), Path(match).name)


def _some(sources: Iterator[PhotoFile], complaint: str) -> Iterator[PhotoFile]:
    first = next(sources, None)
    if first is None:
        raise RequestError("nothing_matched", complaint)
    yield first
    yield from sources
