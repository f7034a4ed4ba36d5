"""The Hub's SQLite file: repos, refs, commits and folders. File contents are stored beside it.

Several processes share one store, so every change takes SQLite's write lock at its start
(``BEGIN IMMEDIATE``): reading, deciding and writing are then atomic. WAL lets readers
continue meanwhile, ``synchronous=FULL`` makes a commit survive a power cut, and
``secure_delete`` overwrites what is deleted.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from localhub.errors import StorageError

log = logging.getLogger(__name__)

#: Seconds that a writer waits for the others; less than the client's own time-out.
BUSY_SECONDS = 15.0
#: Version of the tables below. A store with a later version is refused.
VERSION = 1

_REASONS = (
    ("disk is full", "the disk is full; free some space and try again"),
    ("locked", "it is busy; try again in a moment"),
    ("malformed", "its file is damaged; restore it from a backup"),
    ("not a database", "its file is damaged; restore it from a backup"),
    ("readonly", "it is read-only; check the owner of its folder"),
    ("unable to open", "its file cannot be opened; check that its folder exists and may be written"),
    ("disk i/o", "the disk reported a fault or has no space left"),
)

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE repos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: a request may still hold a deleted repo's
    type TEXT NOT NULL, namespace TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE,
    private INTEGER NOT NULL, sdk TEXT, created REAL NOT NULL,
    UNIQUE (type, namespace, name)
);
CREATE TABLE commits (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    oid TEXT NOT NULL, tree TEXT NOT NULL, parent TEXT, author TEXT NOT NULL,
    title TEXT NOT NULL, message TEXT NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (repo, oid)
) WITHOUT ROWID;
CREATE TABLE refs (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('branch', 'tag')), name TEXT NOT NULL,
    "commit" TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (repo, kind, name),
    FOREIGN KEY (repo, "commit") REFERENCES commits(repo, oid) DEFERRABLE INITIALLY DEFERRED
) WITHOUT ROWID;
CREATE TABLE trees (oid TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE blobs (
    oid TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, lfs INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blobs_sha256 ON blobs (sha256);
-- Contents that erasure has taken out of every history and that must leave the disk.
CREATE TABLE doomed (sha256 TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class Database:
    """Connections to one SQLite file; safe for any number of threads and processes.

    Args:
        path: the file; created with its tables if it is missing. Its folder must exist.

    Raises:
        StorageError: it cannot be opened, or a later version created it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        # SQLite polls for its lock, so the threads of one process queue here instead.
        self._turn = threading.Lock()
        self._pid = os.getpid()
        _close_to_others(path)
        with self.write() as db:
            made = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone()
            if made is None:
                for statement in _SCHEMA.split(";\n"):
                    if statement.strip():
                        db.execute(statement)
                db.execute("INSERT INTO meta VALUES ('version', ?)", (str(VERSION),))
                db.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_hex(32),))
            facts = dict(db.execute("SELECT key, value FROM meta").fetchall())
        if int(facts["version"]) > VERSION:
            raise StorageError("A later version made this Hub; use that one.")
        #: Signs upload links; shared by every process that serves this store.
        self.secret = bytes.fromhex(facts["secret"])

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a read transaction, which sees a snapshot of the store and waits for no writer.

        Raises:
            StorageError: the database failed.
        """
        with self._connection() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open a write transaction, which is the only one until the block ends; roll back if it raises.

        Raises:
            StorageError: the database failed, or stayed busy for `BUSY_SECONDS`.
        """
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise StorageError("The Hub's database is busy; try again in a moment.")
        try:
            with self._connection() as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                except BaseException:
                    with suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        finally:
            self._turn.release()

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file and truncate it; False if a reader prevents that."""
        with self._connection() as db:
            busy: int = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def close(self) -> None:
        """Close idle connections. The database opens again when it is used."""
        with self._guard:
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = self._take()
            try:
                yield db
            finally:
                # A failed COMMIT leaves its transaction open; a reused connection would lock out all writers.
                if db.in_transaction:
                    db.close()
                else:
                    with self._guard:
                        self._idle.append(db)
        except sqlite3.Error as error:
            log.error("%s: %s", type(error).__name__, error)
            text = str(error).lower()
            reason = next((reason for sign, reason in _REASONS if sign in text), "for a reason it has logged")
            raise StorageError(f"The Hub's database refused: {reason}.") from error

    def _take(self) -> sqlite3.Connection:
        with self._guard:
            if self._pid != os.getpid():  # forked: the connections belong to the parent
                self._idle, self._pid = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _enter_wal(db)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            db.execute(f"PRAGMA {pragma}")
        return db


def _enter_wal(db: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, with retries: SQLite does not wait if two processes do so at once."""
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _close_to_others(path: Path) -> None:
    """Let only this user read the file. SQLite itself would follow the umask; its log gets the same mode."""
    with suppress(OSError):  # opening the database reports what is wrong
        path.touch(0o600)
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(OSError):
            path.with_name(name).chmod(0o600)
