"""Git's own object ids: what the client compares to know whether a file has changed.

Trees and commits are hashed as git would, so equal content has an equal id in every
store and the ids mean the same as on huggingface.co. See "Git Internals - Git Objects"
(https://git-scm.com/book/en/v2/Git-Internals-Git-Objects) and the LFS pointer format
(https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple


class Blob(NamedTuple):
    """A file's content: its git id, where its bytes are, and how it was uploaded.

    Attributes:
        oid: git sha1; of the LFS pointer when `lfs`, else of the content.
        sha256: of the content, also its name on the disk.
        size: bytes of content.
        lfs: whether a git clone would hold a pointer in its place.
    """

    oid: str
    sha256: str
    size: int
    lfs: bool

    @property
    def etag(self) -> str:
        """What the client calls the file in its cache, without quotes."""
        return self.sha256 if self.lfs else self.oid


class Entry(NamedTuple):
    """One line of a folder: the git id behind a name, and whether that is a folder itself."""

    oid: str
    folder: bool


Tree = Mapping[str, Entry]

_FILE_MODE = b"100644"
_FOLDER_MODE = b"40000"
# Big folders are read often; this is four times as fast as a loop.
_LINE = re.compile(rb"(100644|40000) ([^\0]+)\0(.{20})", re.DOTALL)


def git_oid(kind: str, data: bytes) -> str:
    """The git id of an object, 40 hex digits."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data, usedforsecurity=False).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """The text git holds in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def lfs_blob(sha256: str, size: int) -> Blob:
    """The `Blob` of an LFS file."""
    return Blob(git_oid("blob", pointer(sha256, size)), sha256, size, True)


def regular_blob(data: bytes) -> Blob:
    """The `Blob` of a file kept in git itself."""
    return Blob(git_oid("blob", data), hashlib.sha256(data).hexdigest(), len(data), False)


def encode_tree(tree: Tree) -> bytes:
    """A folder as git writes it. Git orders a folder as if its name ended with a slash."""
    lines = sorted(tree.items(), key=lambda item: item[0].encode() + (b"/" if item[1].folder else b""))
    return b"".join(
        b"%s %s\0%s" % (_FOLDER_MODE if entry.folder else _FILE_MODE, name.encode(), bytes.fromhex(entry.oid))
        for name, entry in lines
    )


def decode_tree(data: bytes) -> dict[str, Entry]:
    """The folder `encode_tree` wrote, in git's order."""
    return {name.decode(): Entry(oid.hex(), mode == _FOLDER_MODE) for mode, name, oid in _LINE.findall(data)}


#: Id of a folder with nothing in it.
EMPTY_TREE = git_oid("tree", b"")


def commit_oid(tree: str, parent: str | None, author: str, seconds: int, message: str) -> str:
    """The id of a commit.

    Args:
        seconds: when, since 1970 in UTC.
        message: title, a blank line and the rest.
    """
    who = f"{author} <{author}@users.noreply.smartbreed> {seconds} +0000"
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {who}", f"committer {who}"]
    return git_oid("commit", "\n".join([*lines, "", message]).encode())
