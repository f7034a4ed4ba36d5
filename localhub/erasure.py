"""Erase a file from the whole history of a repo, so that its bytes leave the disk.

A commit that deletes a file leaves it in the history. Erasing rewrites every commit that contains the
file: later commits get new ids, branches and tags move to those, and an old id is answered with "revision
not found". Out of reach are clients' caches, clones, backups, and what a disk keeps of freed blocks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from localhub.commits import Commit, history, insert
from localhub.errors import no_entry
from localhub.maintenance import purge_doomed, reachable, sweep_rows
from localhub.names import REPO_TYPES, RepoName, check_path
from localhub.refs import Ref, list_refs
from localhub.repos import list_repos
from localhub.store import HubStore, Opened, Push
from localhub.trees import EMPTY_TREE, Entry, TreeEditor, find, load_blobs, load_tree, store_tree, walk


class Erased(NamedTuple):
    """What an erasure did.

    Attributes:
        commits: number of commits that were rewritten or dropped.
        bytes: number of bytes that left the disk.
        remaining: where the same content still exists, as ``dataset owner/name: path``; empty if it is
            gone.
    """

    commits: int
    bytes: int
    remaining: list[str]


def erase(store: HubStore, name: RepoName, path: str) -> Erased:
    """Erase a file, or a folder with everything it ever held, from every commit of a repo.

    Raises:
        HubError: 404, no commit has anything at that path.
    """
    segments = check_path(path)

    def without(db: sqlite3.Connection, tree: str) -> str:
        entry = find(db, tree, segments)
        if entry is None:
            return tree
        editor = TreeEditor(db, tree)
        editor.remove(path, folder=entry.folder)
        return editor.store()

    def held(opened: Opened, tree: str) -> set[str]:
        entry = find(opened.db, tree, segments)
        if entry is None:
            return set()
        if not entry.folder:
            return {entry.oid}
        return {inner.oid for _, inner in walk(opened.db, entry.oid) if not inner.folder}

    return _erase(store, name, path, without, held)


def erase_content(store: HubStore, name: RepoName, sha256: str) -> Erased:
    """Erase all files with a content, given by its sha256, from every path and commit of a repo.

    Raises:
        HubError: 404, no commit has such a file.
    """
    with store.db.read() as db:
        wanted = {row[0] for row in db.execute("SELECT oid FROM blobs WHERE sha256 = ?", (sha256,))}

    known: dict[str, str] = {}

    def without(db: sqlite3.Connection, tree: str) -> str:
        if tree not in known:
            kept: dict[str, Entry] = {}
            for key, entry in load_tree(db, tree).items():
                inner = Entry(without(db, entry.oid), True) if entry.folder else entry
                if inner.oid not in wanted and not (inner.folder and inner.oid == EMPTY_TREE):
                    kept[key] = inner
            known[tree] = store_tree(db, kept)
        return known[tree]

    def held(opened: Opened, tree: str) -> set[str]:
        return {entry.oid for _, entry in walk(opened.db, tree) if entry.oid in wanted}

    return _erase(store, name, sha256, without, held)


def _erase(
    store: HubStore,
    name: RepoName,
    what: str,
    without: Callable[[sqlite3.Connection, str], str],
    held: Callable[[Opened, str], set[str]],
) -> Erased:
    with store.change(name) as opened:
        db, key = opened.db, opened.repo.key
        every = db.execute("SELECT DISTINCT tree FROM commits WHERE repo = ?", (key,)).fetchall()
        oids = set().union(*(held(opened, tree) for (tree,) in every))
        if not oids:
            raise no_entry(ascii(what))
        contents = {blob.sha256 for blob in load_blobs(db, sorted(oids)).values()}
        before = {oid for _, oid in reachable(db, key).commits}
        moved = _rewrite(opened, without)
        after = {oid for _, oid in reachable(db, key).commits}
        # Unreachable commits are deleted too, because they may contain the file.
        _, unnamed = sweep_rows(db)
        gone = [(sha256,) for sha256 in contents & unnamed]
        db.executemany("INSERT OR IGNORE INTO doomed VALUES (?)", gone)
        remaining = _places(db, contents)
    # Only now, with the new history committed. After a crash in between, the next collection does this.
    size = purge_doomed(store)
    store.db.checkpoint()
    for ref, new in moved:
        store.notify(Push(opened.repo, ref.full, ref.commit, new))
    return Erased(len(before - after), size, remaining)


def _rewrite(opened: Opened, without: Callable[[sqlite3.Connection, str], str]) -> list[tuple[Ref, str]]:
    db, key = opened.db, opened.repo.key
    trees: dict[str, str] = {}
    became: dict[str, Commit] = {}
    moved = []
    for ref in list_refs(db, key):
        for old in reversed(list(history(db, key, ref.commit))):
            if old.oid in became:
                continue
            if old.tree not in trees:
                trees[old.tree] = without(db, old.tree)
            tree = trees[old.tree]
            parent = became[old.parent] if old.parent else None
            if parent is not None and parent.tree == tree:
                became[old.oid] = parent  # it changed nothing else, so it is dropped
            elif tree == old.tree and (parent.oid if parent else None) == old.parent:
                became[old.oid] = old
            else:
                above = parent.oid if parent else None
                became[old.oid] = insert(
                    db, key, tree, above, old.author, old.created, old.title, old.message
                )
        new = became[ref.commit].oid
        if new != ref.commit:
            db.execute(
                'UPDATE refs SET "commit" = ? WHERE repo = ? AND kind = ? AND name = ?',
                (new, key, ref.kind, ref.name),
            )
            moved.append((ref, new))
    return moved


def _places(db: sqlite3.Connection, contents: set[str]) -> list[str]:
    """Return where the contents still exist, in any commit of any repo."""
    wanted = {oid for oid, sha256 in db.execute("SELECT oid, sha256 FROM blobs") if sha256 in contents}
    if not wanted:
        return []
    known: dict[str, list[str]] = {}

    def paths(tree: str) -> list[str]:
        if tree not in known:
            known[tree] = [
                f"{name}/{inner}" if inner else name
                for name, entry in load_tree(db, tree).items()
                for inner in (paths(entry.oid) if entry.folder else [""] if entry.oid in wanted else [])
            ]
        return known[tree]

    places = set()
    for kind in REPO_TYPES:
        for repo in list_repos(db, kind):
            trees = db.execute("SELECT DISTINCT tree FROM commits WHERE repo = ?", (repo.key,)).fetchall()
            places |= {f"{kind} {repo.name.id}: {path}" for (tree,) in trees for path in paths(tree)}
    return sorted(places)
