"""The embedded Hub's store: repos with their history in SQLite, contents in files.

One `HubStore` per process; any number of processes may share one folder. Everything
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
from localhub.errors import no_entry
from localhub.files import Files
from localhub.names import DEFAULT_BRANCH, RepoName, repo_name, wanted_path
from localhub.repos import Repo
from localhub.trees import Blob, regular_blob

log = logging.getLogger(__name__)


class Push(NamedTuple):
    """What a change of a repo's refs looks like to a listener.

    Attributes:
        ref: git's long form, ``refs/heads/main``.
        old: commit before, None when the ref is new.
        new: commit after, None when the ref is gone.
    """

    repo: Repo
    ref: str
    old: str | None
    new: str | None


class Opened(NamedTuple):
    """One repo at one moment: what a single answer is read from."""

    db: sqlite3.Connection
    repo: Repo

    def commit(self, revision: str) -> Commit:
        """The commit a revision stands for.

        Raises:
            HubError: 404.
        """
        return commits.get_commit(self.db, self.repo.key, refs.resolve(self.db, self.repo.key, revision))

    def blob(self, commit: Commit, path: str) -> Blob:
        """The file at a path of a commit.

        Raises:
            HubError: 404; also when it is a folder.
        """
        entry = trees.find(self.db, commit.tree, wanted_path(path))
        if entry is None or entry.folder:
            raise no_entry(ascii(path))
        return trees.load_blobs(self.db, [entry.oid])[entry.oid]


class HubStore:
    """All repos of one embedded Hub.

    Args:
        root: folder of the store, made when it is not there.

    Raises:
        StorageError: the folder cannot be used, or a later version made it.
    """

    def __init__(self, root: Path) -> None:
        self.files = Files(root)
        self.db = Database(root / "hub.db")
        #: Called after every change of a ref, in the thread that made it.
        self.listeners: list[Callable[[Push], None]] = []

    def close(self) -> None:
        """Close the database; the store can be used again."""
        self.db.close()

    @contextmanager
    def open(self, name: RepoName) -> Iterator[Opened]:
        """Read one repo, also by an earlier name; what is read belongs to one moment.

        Raises:
            HubError: 404 no such repo.
        """
        with self.db.read() as db:
            yield Opened(db, repos.find(db, name))

    @contextmanager
    def change(self, name: RepoName, *, exact: bool = False) -> Iterator[Opened]:
        """Change one repo as the only writer; all or nothing.

        Args:
            exact: not by an earlier name.

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
    ) -> str:
        """Make a repo; returns its first commit.

        Raises:
            HubError: 400 for an unusable name, 409 when it is there already.
        """
        name = repo_name(repo_type, *_two(repo_id))
        with self.db.write() as db:
            commit = repos.create(db, self.files, name, author, private=private, sdk=sdk)
            repo = repos.get(db, name)
        self.notify(Push(repo, "refs/heads/main", None, commit.oid))
        return commit.oid

    def delete_repo(self, name: RepoName) -> None:
        """Remove a repo and its history.

        Raises:
            HubError: 404.
        """
        with self.change(name, exact=True) as opened:
            repos.delete(opened.db, opened.repo)

    def duplicate_repo(self, name: RepoName, copy: RepoName, *, private: bool | None = None) -> Repo:
        """Make a repo with the history, branches and tags of another; contents are shared.

        Raises:
            HubError: 404, 409 when the new one is there already.
        """
        with self.change(name) as opened:
            made = repos.duplicate(opened.db, opened.repo, copy, private=private)
            commit = refs.head(opened.db, made.key, DEFAULT_BRANCH)
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
        """Commit to a branch; identical content adds no commit. Contents must be stored already.

        Raises:
            HubError: 404 no such repo, branch or file to delete; 412 the branch stands elsewhere
                than on `parent_commit`; 400 a change makes no sense.
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
        """Store a small file's content; the `Change` is then part of a commit."""
        self.files.put(data)
        return Change("put", path, regular_blob(data))

    def create_ref(self, name: RepoName, kind: str, ref: object, revision: str, message: str = "") -> None:
        """Make a branch or tag at a revision.

        Raises:
            HubError: 400, 404, 409.
        """
        with self.change(name) as opened:
            commit = refs.resolve(opened.db, opened.repo.key, revision)
            made = refs.create(opened.db, opened.repo.key, kind, ref, commit, message)
        self.notify(Push(opened.repo, made.full, None, commit))

    def delete_ref(self, name: RepoName, kind: str, ref: str) -> None:
        """Remove a branch or tag.

        Raises:
            HubError: 400, 404.
        """
        with self.change(name) as opened:
            commit = refs.delete(opened.db, opened.repo.key, kind, ref)
        self.notify(Push(opened.repo, refs.Ref(kind, ref, commit).full, commit, None))

    def squash(self, name: RepoName, branch: str, *, author: str = "local", title: str) -> None:
        """Replace a branch's history by one commit.

        Raises:
            HubError: 404.
        """
        with self.change(name) as opened:
            old, commit = commits.squash(opened.db, opened.repo.key, branch, author, title)
        self.notify(Push(opened.repo, f"refs/heads/{refs.branch_name(branch)}", old, commit.oid))

    def notify(self, push: Push) -> None:
        """Call the listeners; the change is done, so what they raise is only logged."""
        for listener in self.listeners:
            try:
                listener(push)
            except Exception:
                log.exception("A listener failed")


def _two(repo_id: str) -> tuple[str, str]:
    namespace, _, name = repo_id.partition("/")
    return namespace, name
