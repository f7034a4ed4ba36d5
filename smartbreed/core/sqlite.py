"""What every SQLite database of ours needs, whoever opens it."""

from __future__ import annotations

import sqlite3
import time

_REASONS = (
    ("disk is full", "the disk is full; free some space and try again"),
    ("locked", "it is busy; try again in a moment"),
    ("malformed", "its file is damaged; restore it from a backup"),
    ("not a database", "its file is damaged; restore it from a backup"),
    ("readonly", "it is read-only; check the owner of SMARTBREED_HOME"),
    ("unable to open", "its file cannot be opened; check that its folder exists and may be written"),
    ("disk i/o", "the disk reported a fault or has no space left"),
    ("no such table", "it has no tables yet; start the app once to make them"),
)


def reason(text: str) -> str:
    """What a person can do about a database error with this lower-case text."""
    return next((said for sign, said in _REASONS if sign in text), "for a reason it has logged")


def enter_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Switch to write-ahead logging.

    Two processes that switch a new file to WAL at once get "locked" without the usual wait.

    Args:
        patience_s: seconds to keep trying.

    Raises:
        sqlite3.OperationalError: it is locked for longer, or the file is unusable.
    """
    give_up = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
