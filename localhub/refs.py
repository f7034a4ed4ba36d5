"""Branches and tags of a repo, and how a revision is resolved."""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

from localhub.errors import bad_request, conflict, no_revision
from localhub.names import DEFAULT_BRANCH, check_ref, is_sha1

_SHORT = re.compile(r"[0-9a-f]{7,39}")


class Ref(NamedTuple):
    """A name for a commit; `kind` is ``branch`` or ``tag``."""

    kind: str
    name: str
    commit: str

    @property
    def full(self) -> str:
        """Git's long form, such as ``refs/heads/main``."""
        return f"refs/{'heads' if self.kind == 'branch' else 'tags'}/{self.name}"


def resolve(db: sqlite3.Connection, repo: int, revision: str) -> str:
    """Return the full commit id of a revision: an id, a branch, a tag, or git's long form of a branch or tag.

    Seven or more leading digits of an id suffice, if they are unambiguous and no branch or tag has that name.

    Raises:
        HubError: 404.
    """
    if is_sha1(revision):
        known = db.execute("SELECT 1 FROM commits WHERE repo = ? AND oid = ?", (repo, revision)).fetchone()
        if known:
            return revision
        raise no_revision(revision)
    # A branch wins over a tag of the same name, as on huggingface.co.
    for kind, long in (("branch", "refs/heads/"), ("tag", "refs/tags/")):
        commit = head(db, repo, revision.removeprefix(long), kind)
        if commit is not None:
            return commit
    if _SHORT.fullmatch(revision):
        rows = db.execute(
            "SELECT oid FROM commits WHERE repo = ? AND oid BETWEEN ? AND ? LIMIT 2",
            (repo, revision, revision + "g"),
        ).fetchall()
        if len(rows) == 1:
            return str(rows[0][0])
    raise no_revision(ascii(revision)[1:-1][:120])


def head(db: sqlite3.Connection, repo: int, name: str, kind: str = "branch") -> str | None:
    """Return the commit id that a branch (or tag) of exactly this name points to; None if there is none."""
    row = db.execute(
        'SELECT "commit" FROM refs WHERE repo = ? AND kind = ? AND name = ?', (repo, kind, name)
    ).fetchone()
    return None if row is None else str(row[0])


def branch_name(revision: str) -> str:
    """Return the branch that a push to `revision` goes to."""
    return revision.removeprefix("refs/heads/")


def list_refs(db: sqlite3.Connection, repo: int) -> list[Ref]:
    """Return all branches, then all tags, each by name; but the main branch is first."""
    rows = db.execute('SELECT kind, name, "commit" FROM refs WHERE repo = ? ORDER BY kind, name', (repo,))
    return sorted((Ref(*row) for row in rows), key=lambda ref: ref.full != f"refs/heads/{DEFAULT_BRANCH}")


def create(db: sqlite3.Connection, repo: int, kind: str, name: object, commit: str, message: str = "") -> Ref:
    """Add a branch or tag.

    Raises:
        HubError: 400 for an invalid name, 409 if it exists already.
    """
    ref = Ref(kind, check_ref(name, kind), commit)
    if head(db, repo, ref.name, kind) is not None:
        raise conflict(f"Reference {ref.full} already exists")
    db.execute("INSERT INTO refs VALUES (?, ?, ?, ?, ?)", (repo, kind, ref.name, commit, message))
    return ref


def move(db: sqlite3.Connection, repo: int, branch: str, commit: str) -> None:
    """Point an existing branch to another commit."""
    db.execute(
        "UPDATE refs SET \"commit\" = ? WHERE repo = ? AND kind = 'branch' AND name = ?",
        (commit, repo, branch),
    )


def delete(db: sqlite3.Connection, repo: int, kind: str, name: str) -> str:
    """Delete a branch or tag; return the commit id that it pointed to.

    Raises:
        HubError: 400 for the main branch, 404 if there is none of that name.
    """
    if kind == "branch" and name == DEFAULT_BRANCH:
        raise bad_request(f"Cannot delete refs/heads/{DEFAULT_BRANCH}: it is the main branch.")
    commit = head(db, repo, name, kind)
    if commit is None:
        raise no_revision(ascii(name)[1:-1][:120])
    db.execute("DELETE FROM refs WHERE repo = ? AND kind = ? AND name = ?", (repo, kind, name))
    return commit
