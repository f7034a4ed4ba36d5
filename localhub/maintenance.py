"""Keeping a store in order: garbage collection, and a check that nothing is missing.

Both are safe while the store is in use, by this process or others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from localhub.store import HubStore
from localhub.trees import EMPTY_TREE, load_tree

#: Seconds a content that no commit names is kept: its upload may be under way.
GRACE = 24 * 3600.0
_TMP_GRACE = 3600.0
_BATCH = 200


class Collected(NamedTuple):
    """What garbage collection removed."""

    commits: int
    files: int
    bytes: int


class Reachable(NamedTuple):
    """All that some branch or tag leads to, by git id; `missing` are folders the store should have."""

    commits: set[tuple[int, str]]
    trees: set[str]
    blobs: set[str]
    missing: set[str]


def reachable(db: sqlite3.Connection, repo: int | None = None) -> Reachable:
    """Follow every branch and tag, of one repo or of all."""
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
    """Delete rows nothing leads to, in a transaction that has the write lock.

    Returns:
        How many commits went, and the sha256 of contents no row names any more.
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
    """Whether some commit may need a content."""
    return db.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchone() is not None


def collect_garbage(store: HubStore, *, grace_s: float = GRACE) -> Collected:
    """Remove commits no branch or tag leads to, and contents no commit names.

    Args:
        grace_s: age in seconds below which a content stays; less than an upload takes makes
            the commit that follows it fail (it can be sent again).

    Raises:
        StorageError: the disk or the database refused; what was removed stays removed.
    """
    purge_doomed(store)
    with store.db.write() as db:
        commits, _ = sweep_rows(db)
    store.files.sweep_tmp(_TMP_GRACE)
    files = size = 0
    names = store.files.older_than(grace_s)
    while batch := list(islice(names, _BATCH)):
        # The lock keeps commits from naming a content while it goes; small batches let them in between.
        with store.db.write() as db:
            for sha256 in batch:
                # An upload may have claimed it since it was listed.
                if not is_named(db, sha256) and store.files.age(sha256) >= grace_s:
                    size += store.files.delete(sha256)
                    files += 1
    return Collected(commits, files, size)


def purge_doomed(store: HubStore) -> int:
    """Remove contents that erasure has marked, also of an erasure that was cut short; bytes gone."""
    size = 0
    with store.db.write() as db:
        for (sha256,) in db.execute("SELECT sha256 FROM doomed").fetchall():
            if not is_named(db, sha256):
                size += store.files.delete(sha256)
            db.execute("DELETE FROM doomed WHERE sha256 = ?", (sha256,))
    return size


def discard(store: HubStore, contents: Iterable[str]) -> int:
    """Remove contents no commit names, whatever their age; bytes gone.

    For what was uploaded for a commit that never came and must not stay for a day of grace.

    Args:
        contents: by sha256; what some commit names stays.

    Raises:
        StorageError: the disk or the database refused.
    """
    with store.db.write() as db:
        return sum(store.files.delete(sha256) for sha256 in contents if not is_named(db, sha256))


def forget_unreachable(store: HubStore) -> None:
    """Remove at once what no branch or tag leads to, contents included; uploads for commits to come stay.

    Raises:
        StorageError: the disk or the database refused.
    """
    with store.db.write() as db:
        _, contents = sweep_rows(db)
    discard(store, contents)
    store.db.checkpoint()


def check_store(store: HubStore, *, contents: bool = False) -> list[str]:
    """What is wrong with a store, in sentences; empty when all is well.

    Args:
        contents: whether to read every file and compare it with its name.
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
        if store.files.size(sha256) != size:
            problems.append(f"The content {sha256} is missing or has another size")
        elif contents and not store.files.intact(sha256):
            problems.append(f"The content {sha256} is damaged")
    return problems
