"""Random secrets kept in SMARTBREED_HOME, and the salted hash that stands for a flagger's token."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.core.errors import StorageError
from smartbreed.core.files import disk_errors, make_dirs, sweep_tmp, sync_dir, write_tmp

if TYPE_CHECKING:  # importing pydantic takes 0.3 s, and only the type is needed
    from smartbreed.core.settings import Settings

SALT_BYTES = 32


def load_salt(settings: Settings) -> bytes:
    """Return the salt of this installation: ``SMARTBREED_SALT``, or 32 random bytes kept in ``home/salt``.

    The file (mode 0600) is created once. When several processes start together, one
    wins and all use its salt.

    Raises:
        StorageError: the file cannot be written or read, or has lost bytes. A damaged salt
            is never replaced by a new one: earlier flags could no longer be withdrawn.
    """
    if settings.salt:
        return settings.salt.encode()
    return load_random(settings.home_dir / "salt", "The salt of the flaggers' hashes cannot be used")


def load_random(path: Path, problem: str) -> bytes:
    """Return the `SALT_BYTES` random bytes kept in a file of the home; create the file if it is missing.

    Args:
        problem: start of the message of a disk error, such as ``"The salt … cannot be used"``.

    Raises:
        StorageError: the file cannot be written or read, or has lost bytes.
    """
    with disk_errors(problem):
        if not path.exists():
            sweep_tmp(path.parent, 3600.0, f"{path.name}.*.tmp")
            _create(path)
        found = path.read_bytes()
    if len(found) != SALT_BYTES:
        raise StorageError(
            f"The file '{path.name}' in SMARTBREED_HOME is damaged; restore it from a backup. "
            f"Received: {len(found)} bytes instead of {SALT_BYTES}."
        )
    return found


def hash_token(salt: bytes, token: str) -> str:
    """Return the HMAC-SHA256 of a token as 64 hex digits: the only trace of a flagger that is stored."""
    return hmac.new(salt, token.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _create(path: Path) -> None:
    make_dirs(path.parent)
    tmp = write_tmp(path.parent, path.name, secrets.token_bytes(SALT_BYTES))
    try:
        # A link, unlike a rename, fails if another process has created the file meanwhile.
        with suppress(FileExistsError):
            os.link(tmp, path)
    finally:
        tmp.unlink(missing_ok=True)
    sync_dir(path.parent)
