"""Files that survive a crash: written completely and flushed to disk, or not there at all.

Every disk failure becomes a `StorageError` with a sentence that contains no path,
because a path may contain a person's name.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from smartbreed.core.errors import SettingError, StorageError

#: Modes of files and folders: photos and the salt must not be readable by other users of the machine.
PRIVATE_FILE = 0o600
PRIVATE_DIR = 0o700

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this program may not write there; check who owns the folder",
    errno.EPERM: "this program may not write there; check who owns the folder",
    errno.EMFILE: "too many files are open; try again",
    errno.EIO: "the disk reported a fault",
}
#: numpy's message, without an errno, when the disk accepted only part of a write.
_SHORT_WRITE = re.compile(r"^\d+ requested and \d+ written$")


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Translate an `OSError` raised inside the block.

    Args:
        what: start of the sentence, such as ``"The photo was not saved"``.

    Raises:
        StorageError: ``"{what}: {reason}."``
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {_reason(error)}.") from error


def fault_number(error: OSError) -> int | None:
    """Return an error's `errno`, or ENOSPC if numpy reports a partial write without one; None if unknown."""
    if error.errno is None and _SHORT_WRITE.search(str(error)):
        return errno.ENOSPC
    return error.errno


def _reason(error: OSError) -> str:
    number = fault_number(error)
    return _REASONS.get(number or 0) or f"the disk refused ({error.strerror or 'unknown fault'})"


def expanded(path: str | Path) -> Path:
    """Return a path with ``~`` replaced by the user's home directory.

    Raises:
        SettingError: the path begins with ``~``, and this user has no home directory.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingError(
            f"{path} cannot be used: this user has no home directory. "
            "Name a folder in full, such as SMARTBREED_HOME=/var/lib/smartbreed."
        ) from None


def shortened(text: str, most_bytes: int) -> str:
    """Cut a text to ``most_bytes`` of UTF-8: file systems limit bytes, not characters."""
    return text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")


@contextmanager
def only_holder(path: Path, patience_s: float = 0.0) -> Iterator[bool]:
    """Hold a lock file during the block; yield whether the lock was acquired.

    The operating system releases the lock when its holder dies, so no time-out is involved. On a
    file system without locks, every caller gets it.

    Args:
        path: of the lock file, in a folder that exists.
        patience_s: seconds to wait for another holder; negative: for ever.

    Raises:
        OSError: the lock file cannot be created.
    """
    lock = FileLock(path, timeout=patience_s, mode=PRIVATE_FILE, fallback_to_soft=False)
    got = True
    try:
        lock.acquire()
    except Timeout:
        got = False
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
            raise
    try:
        yield got
    finally:
        lock.release()


def sync_dir(folder: Path) -> None:
    """Flush the entries of `folder` to disk; until then, a renamed file may vanish in a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_dirs(folder: Path) -> None:
    """Create `folder` and its missing parents (mode 0700), and flush each new entry to disk."""
    if folder.is_dir():
        return
    make_dirs(folder.parent)
    folder.mkdir(mode=PRIVATE_DIR, exist_ok=True)
    sync_dir(folder.parent)


def write_tmp(folder: Path, name: str, data: bytes) -> Path:
    """Write `data` to a new file in `folder` and flush it; on failure nothing is left behind.

    Args:
        folder: must exist, on the file system within which the file will be renamed.
        name: start of the file name; a random suffix keeps writers apart.

    Raises:
        OSError: the disk refused.
    """
    path = folder / f"{name}.{secrets.token_hex(6)}.tmp"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    return path


def replace_durably(tmp: Path, target: Path) -> None:
    """Rename `tmp` over `target` and flush the folder; on failure `tmp` is removed.

    Raises:
        OSError: the disk refused.
    """
    try:
        os.replace(tmp, target)
    except BaseException:
        with suppress(OSError):
            tmp.unlink()
        raise
    sync_dir(target.parent)


def sweep_tmp(folder: Path, older_than_s: float, pattern: str = "*.tmp") -> int:
    """Delete temporary files that a crash left in `folder`; return how many were deleted.

    Args:
        older_than_s: minimum age in seconds; a younger file may still be in use by its writer.

    Raises:
        OSError: the disk refused.
    """
    newest = time.time() - older_than_s
    swept = 0
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime <= newest:
                path.unlink()
                swept += 1
    return swept
