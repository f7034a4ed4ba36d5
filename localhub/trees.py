"""Git objects: compute their ids; read, walk, compare and edit the folders of a commit.

Trees and commits are hashed as in git, so equal content has an equal id in every store, and the client can
tell whether a file has changed. See "Git Internals - Git Objects"
(https://git-scm.com/book/en/v2/Git-Internals-Git-Objects) and the LFS pointer format
(https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). As in git, a folder is stored once per content
and shared by every commit that has it, so a commit only stores the folders on the paths that it changed.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from localhub.errors import bad_request, no_entry
from localhub.names import check_path


class Blob(NamedTuple):
    """A file's content: its git id, where its bytes are, and how it was uploaded.

    Attributes:
        oid: git sha1; of the LFS pointer if `lfs`, else of the content.
        sha256: of the content, also its name on disk.
        size: size of the content in bytes.
        lfs: True if a git clone would contain a pointer in its place.
    """

    oid: str
    sha256: str
    size: int
    lfs: bool

    @property
    def etag(self) -> str:
        """The name of the file in the client's cache, without quotes."""
        return self.sha256 if self.lfs else self.oid


class Entry(NamedTuple):
    """One entry of a folder: the git id of a name, and whether that is a folder itself."""

    oid: str
    folder: bool


Tree = Mapping[str, Entry]

_FILE_MODE = b"100644"
_FOLDER_MODE = b"40000"
# Big folders are read often; this is four times as fast as a loop.
_LINE = re.compile(rb"(100644|40000) ([^\0]+)\0(.{20})", re.DOTALL)


def git_oid(kind: str, data: bytes) -> str:
    """Return the git id of an object, 40 hex digits."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data, usedforsecurity=False).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """Return the text that git stores in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:[0-9a-f]{64}\nsize (0|[1-9]\d*)\n"
)


def is_pointer(data: bytes) -> bool:
    """True if git would store exactly these bytes in place of an LFS file, so that both have one git id."""
    return _POINTER.fullmatch(data) is not None


def lfs_blob(sha256: str, size: int) -> Blob:
    """Return the `Blob` of an LFS file."""
    return Blob(git_oid("blob", pointer(sha256, size)), sha256, size, True)


def regular_blob(data: bytes) -> Blob:
    """Return the `Blob` of a file that is stored in git itself."""
    return Blob(git_oid("blob", data), hashlib.sha256(data).hexdigest(), len(data), False)


def encode_tree(tree: Tree) -> bytes:
    """Encode a folder as git does. Git sorts a folder as if its name ended with a slash."""
    lines = sorted(tree.items(), key=lambda item: item[0].encode() + (b"/" if item[1].folder else b""))
    return b"".join(
        b"%s %s\0%s" % (_FOLDER_MODE if entry.folder else _FILE_MODE, name.encode(), bytes.fromhex(entry.oid))
        for name, entry in lines
    )


def decode_tree(data: bytes) -> dict[str, Entry]:
    """Decode a folder that `encode_tree` encoded, in git's order."""
    return {name.decode(): Entry(oid.hex(), mode == _FOLDER_MODE) for mode, name, oid in _LINE.findall(data)}


#: Id of an empty folder.
EMPTY_TREE = git_oid("tree", b"")


def commit_oid(tree: str, parent: str | None, author: str, seconds: int, message: str) -> str:
    """Return the id of a commit.

    Args:
        seconds: time of the commit, in seconds since 1970, UTC.
        message: title, a blank line and the rest.
    """
    who = f"{author} <{author}@users.noreply.smartbreed> {seconds} +0000"
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {who}", f"committer {who}"]
    return git_oid("commit", "\n".join([*lines, "", message]).encode())


def load_tree(db: sqlite3.Connection, oid: str) -> dict[str, Entry]:
    """Return the entries of one folder.

    Raises:
        LookupError: the store lacks the folder.
    """
    row = db.execute("SELECT data FROM trees WHERE oid = ?", (oid,)).fetchone()
    if row is None:
        if oid == EMPTY_TREE:
            return {}
        raise LookupError(f"The store misses the folder {oid}; restore it from a backup.")
    return decode_tree(row[0])


def store_tree(db: sqlite3.Connection, tree: Tree) -> str:
    """Store a folder unless it is stored already; return its id."""
    data = encode_tree(tree)
    oid = git_oid("tree", data)
    db.execute("INSERT OR IGNORE INTO trees VALUES (?, ?)", (oid, data))
    return oid


def find(db: sqlite3.Connection, root: str, segments: tuple[str, ...]) -> Entry | None:
    """Return the entry at a path below the folder `root`; None if there is none."""
    entry = Entry(root, True)
    for segment in segments:
        if not entry.folder:
            return None
        found = load_tree(db, entry.oid).get(segment)
        if found is None:
            return None
        entry = found
    return entry


def walk(
    db: sqlite3.Connection, oid: str, prefix: str = "", *, recursive: bool = True
) -> Iterator[tuple[str, Entry]]:
    """Yield every path below a folder, folders before what is in them, in git's order."""
    for name, entry in load_tree(db, oid).items():
        yield prefix + name, entry
        if recursive and entry.folder:
            yield from walk(db, entry.oid, f"{prefix}{name}/")


def changed(db: sqlite3.Connection, new: str | None, old: str | None, prefix: str = "") -> Iterator[str]:
    """Yield the paths of files and folders in `new` that are not the same in `old`."""
    if new is None or new == old:
        return
    before = {} if old is None else load_tree(db, old)
    for name, entry in load_tree(db, new).items():
        other = before.get(name)
        if entry == other:
            continue
        yield prefix + name
        if entry.folder:
            under = other.oid if other and other.folder else None
            yield from changed(db, entry.oid, under, f"{prefix}{name}/")


def load_blobs(db: sqlite3.Connection, oids: list[str]) -> dict[str, Blob]:
    """Return the `Blob` of each git id."""
    blobs: dict[str, Blob] = {}
    for start in range(0, len(oids), 500):
        some = oids[start : start + 500]
        marks = ",".join("?" * len(some))
        for row in db.execute(f"SELECT oid, sha256, size, lfs FROM blobs WHERE oid IN ({marks})", some):
            blobs[row[0]] = Blob(row[0], row[1], row[2], bool(row[3]))
    return blobs


class TreeEditor:
    """Edits the folders of a commit, one path at a time. Nothing is stored before `store`.

    Args:
        root: id of the folder to start from.
    """

    def __init__(self, db: sqlite3.Connection, root: str) -> None:
        self._db = db
        self._root = _Folder(load_tree(db, root))

    def put(self, path: str, oid: str) -> None:
        """Add or replace a file.

        Raises:
            HubError: 400, the path is a folder, or one of its folders is a file.
        """
        *above, name = check_path(path)
        folder = self._root
        for segment in above:
            inner = folder.enter(self._db, segment)
            if inner is None:
                if segment in folder.files:
                    raise bad_request(f"There is a file where {path!a} needs a folder.")
                inner = folder.folders[segment] = _Folder({})
            folder = inner
        if folder.enter(self._db, name) is not None:
            raise bad_request(f"There is a folder at {path!a}.")
        folder.files[name] = oid

    def remove(self, path: str, *, folder: bool) -> None:
        """Remove a file, or a folder with everything in it; folders left empty are removed too.

        A folder is removed even if `folder` is False, because the client takes a path without a trailing
        slash for a file.

        Raises:
            HubError: 404, there is no such file or folder.
        """
        segments = check_path(path)
        trail = [self._root]
        for segment in segments[:-1]:
            inner = trail[-1].enter(self._db, segment)
            if inner is None:
                raise no_entry(ascii(path))
            trail.append(inner)
        name = segments[-1]
        if trail[-1].enter(self._db, name) is not None:
            del trail[-1].folders[name]
        elif not folder and name in trail[-1].files:
            del trail[-1].files[name]
        else:
            raise no_entry(ascii(path))
        for above, segment in zip(reversed(trail[:-1]), reversed(segments[:-1]), strict=True):
            if above.folders[segment].empty:
                del above.folders[segment]

    def store(self) -> str:
        """Store what has changed; return the id of the root folder."""
        return self._root.store(self._db)


class _Folder:
    """A folder being edited. Subfolders stay ids in `shut` until they are entered."""

    def __init__(self, tree: Tree) -> None:
        self.files = {name: entry.oid for name, entry in tree.items() if not entry.folder}
        self.shut = {name: entry.oid for name, entry in tree.items() if entry.folder}
        self.folders: dict[str, _Folder] = {}

    @property
    def empty(self) -> bool:
        return not (self.files or self.shut or self.folders)

    def enter(self, db: sqlite3.Connection, name: str) -> _Folder | None:
        if name in self.shut:
            self.folders[name] = _Folder(load_tree(db, self.shut.pop(name)))
        return self.folders.get(name)

    def store(self, db: sqlite3.Connection) -> str:
        tree = {name: Entry(oid, False) for name, oid in self.files.items()}
        tree |= {name: Entry(oid, True) for name, oid in self.shut.items()}
        tree |= {name: Entry(folder.store(db), True) for name, folder in self.folders.items()}
        return store_tree(db, tree)
