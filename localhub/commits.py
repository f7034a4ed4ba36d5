"""Commits: apply changes to a branch, read its history, squash it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from localhub import refs
from localhub.errors import HubError, StorageError, bad_request, no_revision
from localhub.files import Files
from localhub.names import is_sha1
from localhub.trees import Blob, Tree, TreeEditor, commit_oid, find, load_tree


class Commit(NamedTuple):
    """One commit of a repo; `created` is in seconds since 1970, UTC."""

    oid: str
    tree: str
    parent: str | None
    author: str
    title: str
    message: str
    created: int


class Change(NamedTuple):
    """One operation of a commit. `blob` is only set for ``put``, and is stored already."""

    kind: Literal["put", "remove_file", "remove_folder"]
    path: str
    blob: Blob | None = None


#: The message by which ``datasets`` and ``huggingface_hub`` recognise a stale parent commit.
_STALE = (
    "A commit has happened since. The branch was updated since you opened this page. "
    "Please refresh and try again."
)
_IN_THE_WAY = (
    "The git-lfs pointer of a file is stored in this Hub as if it were a file of its own, "
    "and the file has the same id; erase the pointer first"
)
_COLUMNS = "oid, tree, parent, author, title, message, created"


def get_commit(db: sqlite3.Connection, repo: int, oid: str) -> Commit:
    """Return a commit by its full id.

    Raises:
        HubError: 404.
    """
    row = db.execute(f"SELECT {_COLUMNS} FROM commits WHERE repo = ? AND oid = ?", (repo, oid)).fetchone()
    if row is None:
        raise no_revision(oid)
    return Commit(*row)


def apply(db: sqlite3.Connection, files: Files, tree: str, changes: Sequence[Change]) -> str:
    """Apply `changes` in order to the folder `tree`; return the id of the resulting folder.

    Raises:
        HubError: a change cannot be applied (400, 404).
        StorageError: the content of a file is no longer on disk.
    """
    editor = TreeEditor(db, tree)
    for change in changes:
        if change.blob is None:
            editor.remove(change.path, folder=change.kind == "remove_folder")
            continue
        # Under the write lock: garbage collection cannot delete the file between this check and the commit.
        if files.size(change.blob.sha256) != change.blob.size:
            raise StorageError("An uploaded file is no longer there; send it again.")
        db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?)", change.blob)
        row = db.execute(
            "SELECT oid, sha256, size, lfs FROM blobs WHERE oid = ?", (change.blob.oid,)
        ).fetchone()
        if Blob(*row) != change.blob:
            # An LFS file and its pointer have one git id, and the pointer may have been stored as a file.
            raise bad_request(_IN_THE_WAY)
        editor.put(change.path, change.blob.oid)
    return editor.store()


def insert(
    db: sqlite3.Connection,
    repo: int,
    tree: str,
    parent: str | None,
    author: str,
    created: int,
    title: str,
    message: str,
) -> Commit:
    """Store a commit whose folder is already stored; return it."""
    oid = commit_oid(tree, parent, author, created, f"{title}\n\n{message}" if message else title)
    commit = Commit(oid, tree, parent, author, title, message, created)
    # The same commit twice within a second is the same row.
    db.execute("INSERT OR IGNORE INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (repo, *commit))
    return commit


def push(
    db: sqlite3.Connection,
    files: Files,
    repo: int,
    revision: str,
    changes: Sequence[Change],
    author: str,
    title: str,
    message: str = "",
    parent_commit: str | None = None,
) -> tuple[Commit, bool]:
    """Commit `changes` to a branch, in a transaction that holds the write lock.

    Args:
        parent_commit: id of the commit that the branch must be at, or at least its first 5 digits; None for
            any.

    Returns:
        The branch's commit, and whether it is new: unchanged content adds none.

    Raises:
        HubError: 404 no such branch, 400 `revision` is not a branch, 412 the branch is at another commit;
            400 and 404 as from `apply`.
    """
    branch = refs.branch_name(revision)
    old = refs.head(db, repo, branch)
    if old is None:
        if is_sha1(revision) or refs.head(db, repo, revision.removeprefix("refs/tags/"), "tag"):
            raise bad_request("Commits are added to a branch, not to a tag or another commit.")
        raise no_revision(ascii(revision)[1:-1][:120])
    if parent_commit is not None and not old.startswith(parent_commit.lower()):
        raise HubError(412, _STALE)
    before = get_commit(db, repo, old)
    tree = apply(db, files, before.tree, changes)
    if tree == before.tree:
        return before, False
    commit = insert(db, repo, tree, old, author, int(time.time()), title, message)
    refs.move(db, repo, branch, commit.oid)
    return commit, True


def squash(db: sqlite3.Connection, repo: int, branch: str, author: str, title: str) -> tuple[str, Commit]:
    """Replace a branch's history by one commit with its current content.

    Returns:
        The id of the commit that the branch was at, and the new commit.

    Raises:
        HubError: 404 no such branch.
    """
    old = refs.head(db, repo, refs.branch_name(branch))
    if old is None:
        raise no_revision(ascii(branch)[1:-1][:120])
    tree = get_commit(db, repo, old).tree
    commit = insert(db, repo, tree, None, author, int(time.time()), title, "")
    refs.move(db, repo, refs.branch_name(branch), commit.oid)
    return old, commit


def history(db: sqlite3.Connection, repo: int, oid: str) -> Iterator[Commit]:
    """Yield a commit and its ancestors, newest first."""
    following: str | None = oid
    while following is not None:
        commit = get_commit(db, repo, following)
        yield commit
        following = commit.parent


def last_commits(db: sqlite3.Connection, repo: int, oid: str, paths: Iterable[str]) -> dict[str, Commit]:
    """Return, for each file or folder of a commit, the latest commit that changed it.

    Only the folders that contain the paths are compared, so a long history of a big folder
    elsewhere costs little.
    """
    missing: dict[tuple[str, ...], set[str]] = {}
    for path in paths:
        *above, name = path.split("/")
        missing.setdefault(tuple(above), set()).add(name)
    found: dict[str, Commit] = {}
    older: Commit | None = get_commit(db, repo, oid)
    held = {folder: _folder(db, older, folder) for folder in missing}
    while older is not None and missing:
        commit, older = older, get_commit(db, repo, older.parent) if older.parent else None
        for folder in list(missing):
            now, before = held[folder], _folder(db, older, folder, held[folder])
            held[folder] = before
            if now is before:
                continue
            for name in [name for name in missing[folder] if now[1].get(name) != before[1].get(name)]:
                missing[folder].discard(name)
                found["/".join([*folder, name])] = commit
            if not missing[folder]:
                del missing[folder]
    return found


_Held = tuple[str, Tree]


def _folder(
    db: sqlite3.Connection, commit: Commit | None, path: tuple[str, ...], known: _Held = ("", {})
) -> _Held:
    """Return a folder of a commit with its id; `known` itself if it is the same folder."""
    entry = find(db, commit.tree, path) if commit else None
    if entry is None or not entry.folder:
        return "", {}
    return known if entry.oid == known[0] else (entry.oid, load_tree(db, entry.oid))
