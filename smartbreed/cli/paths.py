"""Expand files, folders, patterns and ``-`` on a command line into photos, in order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from smartbreed.core.errors import RequestError
from smartbreed.sources.files import matches, walk
from smartbreed.sources.items import Item

STDIN = "-"


@dataclass(frozen=True)
class PhotoFile:
    """A photo to read.

    Attributes:
        path: where it is; None for standard input.
        name: its base name; for a file found in a folder, its path relative to that folder.
    """

    path: Path | None
    name: str


def expand(arguments: Sequence[str]) -> list[PhotoFile]:
    """Return every photo, in the order of the arguments and, within each, of the names.

    Raises:
        RequestError: ``nothing_matched`` if an argument matches no photo, ``stdin_twice`` for a second ``-``.
    """
    if list(arguments).count(STDIN) > 1:
        raise RequestError("stdin_twice", "Standard input (-) can be read only once.")
    return [source for argument in arguments for source in _expand(argument)]


def _expand(argument: str) -> Iterator[PhotoFile]:
    if argument == STDIN:
        yield PhotoFile(None, "")
    elif os.path.isdir(argument):
        yield from _some(walk(Path(argument)), f"There is no photo in the folder {argument!r}.")
    elif not os.path.lexists(argument) and glob.has_magic(argument):
        # Shells on Windows do not expand patterns, and none expands a quoted one.
        yield from _some(matches(argument), f"Nothing matches {argument!r}.")
    else:
        yield PhotoFile(Path(argument), Path(argument).name)


def _some(items: Iterator[Item], complaint: str) -> Iterator[PhotoFile]:
    found = [PhotoFile(item.where, item.name) for item in items if isinstance(item.where, Path)]
    if not found:
        raise RequestError("nothing_matched", complaint)
    yield from found
