"""Maintenance of a store: garbage collection, and a check that nothing is missing.

Both are safe while this or other processes use the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from localhub.errors import StorageError
from localhub.store import HubStore
from localhub.trees import EMPTY_TREE, load_tree

#: Seconds that a content is kept although no commit names it: its upload may be in progress.
GRACE = 24 * 3600.0
_TMP_GRACE = 3600.0
_BATCH = 200


class Collected(NamedTuple):
    """What garbage collection removed."""

    commits: int
    files: int
    bytes: int


class Reachable(NamedTuple):
    """Everything that branches and tags lead to, by git id. `missing` are folders that the store lacks."""

    commits: set[tuple[int, str]]
    trees: set[str]
    blobs: set[str]
    missing: set[str]


def reachable(db: sqlite3.Connection, repo: int | None = None) -> Reachable:
    """Follow every branch and tag, of one repo or of all; return what they lead to."""
    found = Reachable(set(), set(), set(), set())
    everywhere = 'SELECT repo, "commit" FROM refs'
    heads = db.execute(everywhere if repo is None else f"{everywhere} WHERE repo = {int(repo)}").fetchall()
    for key, oid in heads:
        following = oid
        while following is not None and (key, following) not in found.commits:
            found.commits.add((key, following))
            row = db.execute("SELECT tree, parent FROM commits WHERE repo = ? AND oid = ?", (key, following))
            tree, following = row.fetchone() or ("", None)
            _mark(db, tree, found)
    return found


def _mark(db: sqlite3.Connection, tree: str, found: Reachable) -> None:
    waiting = [tree]
    while waiting:
        oid = waiting.pop()
        if oid in found.trees:
            continue
        found.trees.add(oid)
        try:
            entries = load_tree(db, oid)
        except LookupError:
            found.missing.add(oid)
            continue
        for entry in entries.values():
            if entry.folder:
                waiting.append(entry.oid)
            else:
                found.blobs.add(entry.oid)


def sweep_rows(db: sqlite3.Connection) -> tuple[int, set[str]]:
    """Delete unreachable rows, in a transaction that holds the write lock.

    Returns:
        The number of deleted commits, and the sha256 of contents that no row names any more.
    """
    found = reachable(db)
    commits = [row for row in db.execute("SELECT repo, oid FROM commits") if row not in found.commits]
    db.executemany("DELETE FROM commits WHERE repo = ? AND oid = ?", commits)
    trees = [row for row in db.execute("SELECT oid FROM trees") if row[0] not in found.trees]
    db.executemany("DELETE FROM trees WHERE oid = ?", trees)
    blobs = [row for row in db.execute("SELECT oid, sha256 FROM blobs") if row[0] not in found.blobs]
    db.executemany("DELETE FROM blobs WHERE oid = ?", [(oid,) for oid, _ in blobs])
    return len(commits), {sha256 for _, sha256 in blobs if not is_named(db, sha256)}


def is_named(db: sqlite3.Connection, sha256: str) -> bool:
    """True if some commit may need a content."""
    return db.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchone() is not None


def collect_garbage(store: HubStore, *, grace_s: float = GRACE) -> Collected:
    """Remove commits that no branch or tag leads to, and contents that no commit names.

    Args:
        grace_s: age in seconds below which a content is kept. If it is shorter than an upload, the commit
            that follows the upload fails (it can be sent again).

    Raises:
        StorageError: the disk or the database failed; what was removed stays removed.
    """
    purge_doomed(store)
    with store.db.write() as db:
        commits, _ = sweep_rows(db)
    store.files.sweep_tmp(_TMP_GRACE)
    files = size = 0
    names = store.files.older_than(grace_s)
    while batch := list(islice(names, _BATCH)):
        # The lock keeps commits from naming a content while it is deleted. Small batches let them in between.
        with store.db.write() as db:
            for sha256 in batch:
                # An upload may have claimed it since it was listed.
                if not is_named(db, sha256) and store.files.age(sha256) >= grace_s:
                    size += store.files.delete(sha256)
                    files += 1
    return Collected(commits, files, size)


def purge_doomed(store: HubStore) -> int:
    """Delete the contents that erasures marked, even interrupted ones; return the number of bytes freed."""
    size = 0
    with store.db.write() as db:
        for (sha256,) in db.execute("SELECT sha256 FROM doomed").fetchall():
            if not is_named(db, sha256):
                size += store.files.delete(sha256)
            db.execute("DELETE FROM doomed WHERE sha256 = ?", (sha256,))
    return size


def discard(store: HubStore, contents: Iterable[str]) -> int:
    """Delete contents that no commit names, whatever their age; return the number of bytes freed.

    For uploads whose commit never came, and which must not stay for the grace period.

    Args:
        contents: sha256 of each; those that a commit names are kept.

    Raises:
        StorageError: the disk or the database failed.
    """
    with store.db.write() as db:
        return sum(store.files.delete(sha256) for sha256 in contents if not is_named(db, sha256))


def forget_unreachable(store: HubStore) -> None:
    """Delete at once what no branch or tag leads to, contents included; keep uploads for later commits.

    Raises:
        StorageError: the disk or the database failed.
    """
    with store.db.write() as db:
        _, contents = sweep_rows(db)
    discard(store, contents)
    store.db.checkpoint()


def check_store(store: HubStore, *, contents: bool = False) -> list[str]:
    """Return what is wrong with a store, as messages; empty if nothing is.

    Args:
        contents: True to read every file and verify its hash.
    """
    with store.db.read() as db:
        problems = [f"SQLite: {row[0]}" for row in db.execute("PRAGMA quick_check") if row[0] != "ok"]
        found = reachable(db)
        known = set(db.execute("SELECT repo, oid FROM commits").fetchall())
        problems += [f"The commit {oid} is missing" for _, oid in found.commits - known]
        problems += [f"The folder {oid} is missing" for oid in found.missing - {EMPTY_TREE, ""}]
        blobs = {row[0]: (row[1], row[2]) for row in db.execute("SELECT oid, sha256, size FROM blobs")}
    problems += [f"The file {oid} is not listed" for oid in found.blobs - blobs.keys()]
    for oid in found.blobs & blobs.keys():
        sha256, size = blobs[oid]
        try:
            if store.files.size(sha256) != size:
                problems.append(f"The content {sha256} is missing or has another size")
            elif contents and not store.files.intact(sha256):
                problems.append(f"The content {sha256} is damaged")
        except StorageError as error:
            problems.append(f"The content {sha256} cannot be read. {error.message}")
    return problems
