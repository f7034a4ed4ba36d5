"""Decide how a file is uploaded: within the commit, or ahead of it as a large file; and which are ignored."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

#: Extensions that the public Hub stores as large files whatever their size, a subset of its default
#: .gitattributes. Other files are classified by their size and first bytes.
_LFS_SUFFIXES = (
    "7z arrow bin bmp bz2 ckpt ftz gif gz h5 joblib jpeg jpg keras lz4 mds mlmodel model msgpack npy npz "
    "onnx ot parquet pb pickle pkl png pt pth rar safetensors tar tflite tgz tiff wasm webp xz zip zst"
)
LFS_SUFFIXES = frozenset(_LFS_SUFFIXES.split())
#: Bytes above which a file is large; also the size limit of a file inside a commit.
REGULAR_MAX = 10_000_000

#: The .gitattributes file of every new repo, as on the public Hub.
GITATTRIBUTES = "".join(
    f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in sorted(LFS_SUFFIXES)
).encode()

_MAX_RULES = 1000


def is_large(path: str, size: int, sample: bytes) -> bool:
    """True if a file is uploaded ahead of the commit (``lfs``) and not within it (``regular``).

    Args:
        size: size of the whole file in bytes.
        sample: its first 512 bytes.
    """
    if size == 0:
        return False
    if size > REGULAR_MAX or PurePosixPath(path).suffix.lower().removeprefix(".") in LFS_SUFFIXES:
        return True
    return is_binary(sample)


def is_binary(sample: bytes) -> bool:
    """True if bytes are not text: they contain a zero byte (git's rule), or are not UTF-8."""
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        # The sample may end in the middle of a character.
        return error.start < len(sample) - 3 or error.reason != "unexpected end of data"
    return False


class Ignore:
    """The rules of a ``.gitignore`` (https://git-scm.com/docs/gitignore), for files of a repo.

    Args:
        text: its content; only the first thousand lines are read.
    """

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.splitlines()[:_MAX_RULES] if (rule := _rule(line)) is not None]

    def __call__(self, path: str) -> bool:
        """True if the file at `path` is ignored; a file in an ignored folder cannot be re-included."""
        parts = path.split("/")
        return any(self._ignores(parts[:depth], depth < len(parts)) for depth in range(1, len(parts) + 1))

    def _ignores(self, parts: list[str], folder: bool) -> bool:
        ignored = False
        for rule in self._rules:
            if rule.keep == ignored and (folder or not rule.folders_only) and _matches(rule.parts, parts):
                ignored = not rule.keep
        return ignored


@lru_cache(maxsize=16)
def ignore_rules(text: str) -> Ignore:
    """Return the `Ignore` of a text, cached for the many requests of one upload."""
    return Ignore(text)


class _Rule(NamedTuple):
    """The rule of one line. A part that is None matches any number of folders (``**``)."""

    parts: list[re.Pattern[str] | None]
    keep: bool
    folders_only: bool


def _rule(line: str) -> _Rule | None:
    line = re.sub(r"(?<!\\)[ \t]+$", "", line)
    if not line or line.startswith("#") or len(line) > 500:
        return None
    keep = line.startswith("!")
    folders_only = line.endswith("/")
    line = line[keep:].rstrip("/")
    if not line:
        return None
    globs = line.removeprefix("/").split("/") if "/" in line else ["**", line]
    if globs[-1] == "**":
        globs.append("*")  # matches everything in the folder, but not the folder itself
    return _Rule([None if glob == "**" else _compile(glob) for glob in globs], keep, folders_only)


def _compile(glob: str) -> re.Pattern[str]:
    # fnmatch has no escape by backslash, so use a character class. Its patterns never backtrack for long.
    glob = re.sub(r"\\([*?\[])", r"[\1]", glob)
    return re.compile(fnmatch.translate(re.sub(r"\\(.)", r"\1", glob)))


def _matches(rule: list[re.Pattern[str] | None], parts: list[str]) -> bool:
    """True if a rule matches a path. All ways through the rule are tried at once, so that none takes long."""

    def skip(places: set[int]) -> set[int]:
        for place in sorted(places):
            while place < len(rule) and rule[place] is None:
                place += 1
                places.add(place)
        return places

    places = skip({0})
    for part in parts:
        after = set()
        for place in places:
            if place < len(rule):
                pattern = rule[place]
                if pattern is None:
                    after.add(place)
                elif pattern.match(part):
                    after.add(place + 1)
        places = skip(after)
    return len(rule) in places
