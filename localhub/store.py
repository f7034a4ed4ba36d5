"""The embedded Hub's store: repos with their history in SQLite, contents in files.

Use one `HubStore` per process; any number of processes may share one folder. Everything
here is plain blocking Python; `localhub.server` puts HTTP in front of it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from localhub import commits, refs, repos, trees
from localhub.commits import Change, Commit
from localhub.database import Database
from localhub.errors import bad_request, no_entry
from localhub.files import Files
from localhub.names import DEFAULT_BRANCH, RepoName, repo_name, wanted_path
from localhub.repos import Repo
from localhub.trees import Blob, regular_blob

log = logging.getLogger(__name__)


class Push(NamedTuple):
    """A change of one of a repo's refs, as listeners receive it.

    Attributes:
        ref: git's long form, such as ``refs/heads/main``.
        old: id of the commit before; None if the ref is new.
        new: id of the commit after; None if the ref was deleted.
    """

    repo: Repo
    ref: str
    old: str | None
    new: str | None


class Opened(NamedTuple):
    """One repo within one transaction, from which a single answer is read."""

    db: sqlite3.Connection
    repo: Repo

    def commit(self, revision: str) -> Commit:
        """Return the commit that a revision stands for.

        Raises:
            HubError: 404.
        """
        return commits.get_commit(self.db, self.repo.key, refs.resolve(self.db, self.repo.key, revision))

    def blob(self, commit: Commit, path: str) -> Blob:
        """Return the file at a path of a commit.

        Raises:
            HubError: 404; also if the path is a folder.
        """
        entry = trees.find(self.db, commit.tree, wanted_path(path))
        if entry is None or entry.folder:
            raise no_entry(ascii(path))
        return trees.load_blobs(self.db, [entry.oid])[entry.oid]


class HubStore:
    """All repos of one embedded Hub.

    Args:
        root: folder of the store; created if it is missing.

    Raises:
        StorageError: the folder cannot be used, or a later version created it.
    """

    def __init__(self, root: Path) -> None:
        self.files = Files(root)
        self.db = Database(root / "hub.db")
        #: Called after every change of a ref, in the thread that made it.
        self.listeners: list[Callable[[Push], None]] = []

    def close(self) -> None:
        """Close the database. It opens again if the store is used."""
        self.db.close()

    @contextmanager
    def open(self, name: RepoName) -> Iterator[Opened]:
        """Open one repo for reading, also by an earlier name; everything is read from one snapshot.

        Raises:
            HubError: 404 no such repo.
        """
        with self.db.read() as db:
            yield Opened(db, repos.find(db, name))

    @contextmanager
    def change(self, name: RepoName, *, exact: bool = False) -> Iterator[Opened]:
        """Open one repo for changes, as the only writer; all of the block's changes are made, or none.

        Args:
            exact: do not accept an earlier name.

        Raises:
            HubError: 404 no such repo.
        """
        with self.db.write() as db:
            yield Opened(db, (repos.get if exact else repos.find)(db, name))

    def create_repo(
        self,
        repo_id: str,
        repo_type: str = "model",
        *,
        author: str = "local",
        private: bool = False,
        sdk: str | None = None,
        also: Callable[[Opened], None] | None = None,
    ) -> str:
        """Create a repo; return the id of its first commit.

        Args:
            also: called with the new repo, in the same transaction; if it raises, there is no repo.

        Raises:
            HubError: 400 for an invalid name, 409 if it exists already.
        """
        name = repo_name(repo_type, *_two(repo_id))
        with self.db.write() as db:
            commit = repos.create(db, self.files, name, author, private=private, sdk=sdk)
            repo = repos.get(db, name)
            if also is not None:
                also(Opened(db, repo))
        self.notify(Push(repo, "refs/heads/main", None, commit.oid))
        return commit.oid

    def delete_repo(self, name: RepoName) -> None:
        """Delete a repo and its history.

        Raises:
            HubError: 404.
        """
        with self.change(name, exact=True) as opened:
            repos.delete(opened.db, opened.repo)

    def duplicate_repo(
        self,
        name: RepoName,
        copy: RepoName,
        *,
        private: bool | None = None,
        also: Callable[[Opened], None] | None = None,
    ) -> Repo:
        """Create a repo with the history, branches and tags of another; file contents are shared.

        Args:
            also: called with the new repo, in the same transaction; if it raises, there is no repo.

        Raises:
            HubError: 404 no such repo, 409 the new one exists already.
        """
        with self.change(name) as opened:
            made = repos.duplicate(opened.db, opened.repo, copy, private=private)
            commit = refs.head(opened.db, made.key, DEFAULT_BRANCH)
            if also is not None:
                also(Opened(opened.db, made))
        self.notify(Push(made, f"refs/heads/{DEFAULT_BRANCH}", None, commit))
        return made

    def commit(
        self,
        name: RepoName,
        revision: str,
        changes: Sequence[Change],
        *,
        author: str = "local",
        title: str,
        message: str = "",
        parent_commit: str | None = None,
    ) -> Commit:
        """Commit to a branch; unchanged content adds no commit. File contents must be stored already.

        Raises:
            HubError: 404 no such repo, branch or file to delete; 412 the branch is not at
                `parent_commit`; 400 a change is invalid.
        """
        with self.change(name) as opened:
            old = refs.head(opened.db, opened.repo.key, refs.branch_name(revision))
            commit, new = commits.push(
                opened.db,
                self.files,
                opened.repo.key,
                revision,
                changes,
                author,
                title,
                message,
                parent_commit,
            )
        if new:
            self.notify(Push(opened.repo, f"refs/heads/{refs.branch_name(revision)}", old, commit.oid))
        return commit

    def put_text(self, path: str, data: bytes) -> Change:
        """Store the content of a small file; return the `Change` to put into a commit.

        Raises:
            HubError: 400, the content is the pointer of an LFS file.
        """
        if trees.is_pointer(data):
            # It has the git id of the file that it stands for, and ids lead to contents.
            raise bad_request(
                f"{ascii(path)[1:-1][:120]} is only the git-lfs pointer of a file; "
                "run git lfs pull, and send the file itself"
            )
        self.files.put(data)
        return Change("put", path, regular_blob(data))

    def create_ref(self, name: RepoName, kind: str, ref: object, revision: str, message: str = "") -> None:
        """Create a branch or tag at a revision.

        Raises:
            HubError: 400, 404, 409.
        """
        with self.change(name) as opened:
            commit = refs.resolve(opened.db, opened.repo.key, revision)
            made = refs.create(opened.db, opened.repo.key, kind, ref, commit, message)
        self.notify(Push(opened.repo, made.full, None, commit))

    def delete_ref(self, name: RepoName, kind: str, ref: str) -> None:
        """Delete a branch or tag.

        Raises:
            HubError: 400, 404.
        """
        with self.change(name) as opened:
            commit = refs.delete(opened.db, opened.repo.key, kind, ref)
        self.notify(Push(opened.repo, refs.Ref(kind, ref, commit).full, commit, None))

    def squash(self, name: RepoName, branch: str, *, author: str = "local", title: str) -> None:
        """Replace a branch's history by one commit with its current content.

        Raises:
            HubError: 404.
        """
        with self.change(name) as opened:
            old, commit = commits.squash(opened.db, opened.repo.key, branch, author, title)
        self.notify(Push(opened.repo, f"refs/heads/{refs.branch_name(branch)}", old, commit.oid))

    def notify(self, push: Push) -> None:
        """Call the listeners. The change is committed already, so what they raise is only logged."""
        for listener in self.listeners:
            try:
                listener(push)
            except Exception:
                log.exception("A listener failed")


def _two(repo_id: str) -> tuple[str, str]:
    namespace, _, name = repo_id.partition("/")
    return namespace, name
