"""SMARTBREED_HOME is closed to the other users of the machine: files 0600, folders 0700.

It holds visitors' photos, their answers, the salt and the Hub with everything ever published privately. Each
process that works in it (`app.py`, the commands, the trainer) calls `work_privately` first.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_OTHERS = 0o077
#: What lies in a home. Other files in that folder keep the modes they have.
_OURS = (
    "blobs",
    "examples",
    "gallery",
    "hub",
    "hub-cache",
    "members",
    "models",
    "retraining",
    "salt",
    "secret",
    "shards",
    "smartbreed.db*",
    "upkeep",
)


def work_privately(home: Path) -> None:
    """From now on this process makes files that only its user can read; an open home is closed.

    Earlier versions left the databases readable by every user. A home that is closed already costs one look.

    Args:
        home: SMARTBREED_HOME; it need not exist yet.
    """
    os.umask(_OTHERS)
    try:
        found = home.stat()
    except OSError:
        return
    if not found.st_mode & _OTHERS:
        return
    if not found.st_mode & stat.S_ISVTX:  # /tmp and its like belong to all users
        try:
            home.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
        except OSError as error:
            log.warning("SMARTBREED_HOME stays open to other users of this machine: %s", error.strerror)
    for pattern in _OURS:
        for path in home.glob(pattern):
            _close(path)


def private_file(path: Path) -> None:
    """Make an empty file that only this user can read, or close the one that is there.

    SQLite makes its file as the umask says, and ``-wal`` and ``-shm`` like it.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        _close_one(path.with_name(name))


def _close(path: Path) -> None:
    """``path`` and all beneath it; links are not followed."""
    _close_one(path)
    if path.is_symlink() or not path.is_dir():
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            _close_one(Path(folder, name))


def _close_one(path: Path) -> None:
    # Gone meanwhile, or owned by another user: the closed home above it protects it all the same.
    with suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
