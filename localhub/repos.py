"""The table of repos: create, find, rename and delete them."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from localhub import refs
from localhub.commits import Change, Commit, apply, insert
from localhub.errors import HubError, conflict, no_repo
from localhub.files import Files
from localhub.names import DEFAULT_BRANCH, RepoName
from localhub.preupload import GITATTRIBUTES
from localhub.trees import EMPTY_TREE, regular_blob


class Repo(NamedTuple):
    """A repo that exists.

    Attributes:
        key: id of its row; never reused after the repo was deleted.
        sdk: of a Space (``gradio``, ``static``, ``docker``), else None.
        created: seconds since 1970, UTC.
    """

    key: int
    name: RepoName
    private: bool
    sdk: str | None
    created: float


_COLUMNS = "id, type, namespace, name, private, sdk, created"


def _repo(row: tuple[int, str, str, str, int, str | None, float]) -> Repo:
    return Repo(row[0], RepoName(*row[1:4]), bool(row[4]), row[5], row[6])


def get(db: sqlite3.Connection, name: RepoName) -> Repo:
    """Return the repo of that name, ignoring case.

    Raises:
        HubError: 404.
    """
    row = db.execute(
        f"SELECT {_COLUMNS} FROM repos WHERE type = ? AND namespace = ? AND name = ?", name
    ).fetchone()
    if row is None:
        raise no_repo(name.id)
    return _repo(row)


def find(db: sqlite3.Connection, name: RepoName) -> Repo:
    """Like `get`, but also find a repo by a name that it had before.

    Raises:
        HubError: 404.
    """
    try:
        return get(db, name)
    except HubError:
        query = (
            f"SELECT {_COLUMNS} FROM repos WHERE id = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?)"
        )
        row = db.execute(query, (_moved(name),)).fetchone()
        if row is None:
            raise
        return _repo(row)


def _moved(name: RepoName) -> str:
    """Return the key in ``meta`` that maps an earlier name to the id of the repo."""
    return f"moved:{name.type}:{name.id.lower()}"


def space_key(repo: Repo) -> str:
    """Return the key in ``meta`` of a Space's settings."""
    return f"space:{repo.key}"


def list_repos(db: sqlite3.Connection, repo_type: str) -> list[Repo]:
    """Return all repos of a type, newest first."""
    query = f"SELECT {_COLUMNS} FROM repos WHERE type = ? ORDER BY created DESC, id DESC"
    return [_repo(row) for row in db.execute(query, (repo_type,))]


def create(
    db: sqlite3.Connection, files: Files, name: RepoName, author: str, *, private: bool, sdk: str | None
) -> Commit:
    """Create a repo whose main branch has one commit, as on huggingface.co; return that commit.

    Raises:
        HubError: 409 if the name is taken.
    """
    made = _insert(db, name, private, sdk, "You already created this repo")
    files.put(GITATTRIBUTES)
    first = Change("put", ".gitattributes", regular_blob(GITATTRIBUTES))
    tree = apply(db, files, EMPTY_TREE, [first])
    commit = insert(db, made.key, tree, None, author, int(time.time()), "initial commit", "")
    refs.create(db, made.key, "branch", DEFAULT_BRANCH, commit.oid)
    return commit


def _insert(db: sqlite3.Connection, name: RepoName, private: bool, sdk: str | None, taken: str) -> Repo:
    """Insert the row of a new repo. If another repo had this name before, it is no longer found by it."""
    try:
        row = db.execute(
            "INSERT INTO repos (type, namespace, name, private, sdk, created) VALUES (?, ?, ?, ?, ?, ?)"
            f" RETURNING {_COLUMNS}",
            (*name, private, sdk, time.time()),
        ).fetchone()
    except sqlite3.IntegrityError:
        raise conflict(taken) from None
    db.execute("DELETE FROM meta WHERE key = ?", (_moved(name),))
    return _repo(row)


def _taken(name: RepoName) -> str:
    return f"A {name.type} repository called {name.id} already exists"


def rename(db: sqlite3.Connection, repo: Repo, name: RepoName) -> None:
    """Give a repo another name; its type stays.

    Raises:
        HubError: 409 if another repo has that name.
    """
    try:
        db.execute(
            "UPDATE repos SET namespace = ?, name = ? WHERE id = ?", (name.namespace, name.name, repo.key)
        )
    except sqlite3.IntegrityError:
        raise conflict(_taken(name)) from None
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_moved(repo.name), str(repo.key)))
    db.execute("DELETE FROM meta WHERE key = ?", (_moved(name),))


def duplicate(db: sqlite3.Connection, repo: Repo, name: RepoName, *, private: bool | None = None) -> Repo:
    """Create a repo with the commits, branches and tags of another.

    Raises:
        HubError: 409 if the name is taken.
    """
    made = _insert(db, name, repo.private if private is None else private, repo.sdk, _taken(name))
    for table in ("commits", "refs"):
        columns = [str(one[1]) for one in db.execute(f"PRAGMA table_info({table})")]
        copied = ", ".join(f'"{column}"' for column in columns if column != "repo")
        db.execute(
            f"INSERT INTO {table} (repo, {copied}) SELECT ?, {copied} FROM {table} WHERE repo = ?",
            (made.key, repo.key),
        )
    return made


def set_private(db: sqlite3.Connection, repo: Repo, private: bool) -> None:
    """Hide a repo from callers without a token, or show it to them."""
    db.execute("UPDATE repos SET private = ? WHERE id = ?", (private, repo.key))


def delete(db: sqlite3.Connection, repo: Repo) -> None:
    """Delete a repo with its history, a Space's settings and the earlier names that led to it.

    Its contents leave the disk with the next garbage collection.
    """
    db.execute("DELETE FROM refs WHERE repo = ?", (repo.key,))
    db.execute("DELETE FROM commits WHERE repo = ?", (repo.key,))
    db.execute("DELETE FROM repos WHERE id = ?", (repo.key,))
    db.execute("DELETE FROM meta WHERE key = ?", (space_key(repo),))
    db.execute("DELETE FROM meta WHERE key GLOB 'moved:*' AND value = ?", (str(repo.key),))
