"""Decide how a file is uploaded: within the commit, or ahead of it as a large file; and which are ignored."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from localhub.errors import too_large

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
#: Most comparisons of a name with a part of a rule, in one request.
_MAX_STEPS = 4_000_000


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
    """The rules of a ``.gitignore`` (https://git-scm.com/docs/gitignore), for the files of one request.

    Paths are matched folder by folder, and the folders of the latest path are kept for the next one, which
    often shares them.

    Args:
        text: its content; only the first thousand lines are read.
    """

    def __init__(self, text: str) -> None:
        self._rules = _rules(text)
        self._left = _MAX_STEPS
        self._folders: list[str] = []
        #: For the top and each of those folders: whether it is ignored, and how far each rule has matched.
        self._levels = [(False, [rule.skip(1) for rule in self._rules])]

    def __call__(self, path: str) -> bool:
        """True if the file at `path` is ignored; a file in an ignored folder cannot be re-included.

        Raises:
            HubError: 413, all paths together take too long to compare with the rules.
        """
        *folders, name = path.split("/")
        same = 0
        while same < min(len(folders), len(self._folders)) and folders[same] == self._folders[same]:
            same += 1
        del self._folders[same:], self._levels[same + 1 :]
        for folder in folders[same:]:
            ignored, places = self._levels[-1]
            self._levels.append((True, places) if ignored else self._below(places, folder, folder=True))
            self._folders.append(folder)
        ignored, places = self._levels[-1]
        return ignored or self._below(places, name, folder=False)[0]

    def _below(self, places: list[int], name: str, *, folder: bool) -> tuple[bool, list[int]]:
        """Return whether an entry of a folder is ignored, and how far each rule has matched in it."""
        ignored, after = False, []
        self._left -= len(self._rules)
        for rule, reached in zip(self._rules, places, strict=True):
            if self._left < 0:
                raise too_large("The .gitignore has too many rules for so many files; send fewer at once")
            now = 0
            if reached:
                now, steps = rule.step(reached, name)
                self._left -= steps
            after.append(now)
            if now >> len(rule.parts) and rule.keep == ignored and (folder or not rule.folders_only):
                ignored = not rule.keep
        return ignored, after


class _Rule(NamedTuple):
    """The rule of one line. A part that is None matches any number of folders (``**``).

    How far it has matched is a set of parts, as bits: those that the next name is compared with. All ways
    through the rule are tried at once, so that none takes long. The bit after the last is set after a match.
    """

    parts: list[re.Pattern[str] | None]
    keep: bool
    folders_only: bool

    def skip(self, places: int) -> int:
        """Add the parts that are reached because a ``**`` may match no folder at all."""
        for place, part in enumerate(self.parts):
            if part is None and places >> place & 1:
                places |= 2 << place
        return places

    def step(self, places: int, name: str) -> tuple[int, int]:
        """Compare the next name of a path; return the parts that are reached then, and what that cost."""
        after, cost = 0, len(self.parts)
        for place, part in enumerate(self.parts):
            if places >> place & 1:
                if part is None:
                    after |= 1 << place
                else:
                    # Of a few hundred characters each, a comparison takes as long as a hundred short ones.
                    cost += len(part.pattern) * len(name) // 500
                    if part.match(name):
                        after |= 2 << place
        return self.skip(after), cost


@lru_cache(maxsize=16)
def _rules(text: str) -> list[_Rule]:
    """Return the rules of a text, cached for the many requests of one upload."""
    return [rule for line in text.splitlines()[:_MAX_RULES] if (rule := _rule(line)) is not None]


def _rule(line: str) -> _Rule | None:
    bare = line.rstrip(" \t")
    # Of spaces after a backslash, the first belongs to the name.
    line = line[: len(bare) + 1] if bare.endswith("\\") else bare
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
