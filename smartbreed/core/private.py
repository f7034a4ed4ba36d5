"""Keep SMARTBREED_HOME closed to other users of the machine: files 0600, folders 0700.

It contains visitors' photos and answers, the salt, and the embedded Hub with everything ever published
privately. Each process that works in it (`app.py`, the commands, the trainer) calls `work_privately` first.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_OTHERS = 0o077
#: Files and folders that the app keeps in its home. Other files in that folder keep their modes.
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
    "teach",
    "upkeep",
)


def work_privately(home: Path) -> None:
    """Make new files of this process readable by its user only, and close a home that is open to others.

    Earlier versions left the databases readable by every user. If the home is closed already, this costs one
    `stat` call.

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
    if not found.st_mode & stat.S_ISVTX:  # shared folders such as /tmp stay open
        try:
            home.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
        except OSError as error:
            log.warning("SMARTBREED_HOME stays open to other users of this machine: %s", error.strerror)
    for pattern in _OURS:
        for path in home.glob(pattern):
            _close(path)


def private_file(path: Path) -> None:
    """Create an empty file that only this user can read, or close the existing one.

    SQLite creates its file with the mode that the umask allows, and ``-wal`` and ``-shm`` with the same mode.

    Raises:
        OSError: the file cannot be created.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        _close_one(path.with_name(name))


def _close(path: Path) -> None:
    """Close ``path`` and everything beneath it to other users; symbolic links are not followed."""
    _close_one(path)
    if path.is_symlink() or not path.is_dir():
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            _close_one(Path(folder, name))


def _close_one(path: Path) -> None:
    # The file may be gone, or owned by another user; the closed home above it protects it anyway.
    with suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
