"""Access control with tokens that have the role read or write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from localhub.errors import HubError, SettingError, no_repo
from localhub.names import repo_name

Role = Literal["read", "write"]
#: Keys that each line of a token file must have.
_FIELDS = {"name", "role", "secret"}


@dataclass(frozen=True)
class User:
    """A caller. `name` is the author of its commits, and the owner of repos that it names without one."""

    name: str
    role: Role


@dataclass(frozen=True)
class Token:
    """A secret and the user it stands for.

    Raises:
        SettingError: the secret has under 8 characters, or the role or name is invalid.
    """

    secret: str
    user: User

    def __post_init__(self) -> None:
        if len(self.secret) < 8:
            raise SettingError("A Hub token needs at least 8 characters.")
        if self.user.role not in ("read", "write"):
            raise SettingError(f"A Hub token's role is read or write. Received: {self.user.role!r}")
        try:
            repo_name("model", self.user.name, "x")
        except HubError as error:
            raise SettingError(f"A Hub token's user name is unusable: {error.message}") from None


#: The user that stands for every caller if no tokens are configured.
LOCAL = User("local", "write")


class Access:
    """The access rules of one Hub.

    Args:
        tokens: the known tokens. Without any, every caller is `LOCAL` and may do
            everything, which is only for a Hub that no other machine reaches.
        anonymous_read: whether callers without a token may read repos that are not private.
    """

    def __init__(self, tokens: Iterable[Token] = (), *, anonymous_read: bool = True) -> None:
        # Looked up by hash, so that the time it takes tells nothing about the secret.
        self._users = {_digest(token.secret): token.user for token in tokens}
        self.anonymous_read = anonymous_read

    @property
    def open(self) -> bool:
        """True if there are no tokens, so that every caller may do everything."""
        return not self._users

    def user(self, authorization: str | None) -> User | None:
        """Return the caller of a request; None if it carries no token.

        Args:
            authorization: the header, ``Bearer SECRET``.

        Raises:
            HubError: 401 for an unknown token.
        """
        if self.open:
            return LOCAL
        if not authorization:
            return None
        scheme, _, secret = authorization.partition(" ")
        user = self._users.get(_digest(secret.strip())) if scheme.lower() == "bearer" else None
        if user is None:
            # These exact words: with any others, the client reports a missing repo.
            raise HubError(401, "Invalid credentials in Authorization header")
        return user

    def check_read(self, user: User | None, repo_id: str, *, private: bool) -> None:
        """Refuse a caller who may not read a repo, with the message for one that does not exist.

        Raises:
            HubError: 401 with ``RepoNotFound``.
        """
        if user is None and (private or not self.anonymous_read):
            missing = no_repo(repo_id)
            raise HubError(401, missing.message, header=missing.header)

    def check_write(self, user: User | None) -> User:
        """Return the caller if it may write.

        Raises:
            HubError: 401 without a token, 403 with a token that may only read.
        """
        if user is None:
            raise HubError(401, "A token is needed to change anything here")
        if user.role != "write":
            raise HubError(403, "This token may only read")
        return user


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def read_tokens(path: Path) -> list[Token]:
    """Read tokens, one JSON object per line: ``{"name": "ada", "role": "write", "secret": "hf_…"}``.

    Empty lines, and lines that begin with ``#``, are skipped.

    Args:
        path: a file that only its owner may read, because its secrets give access to the Hub.

    Raises:
        SettingError: the file cannot be read, other users may read it, or a line is invalid. The
            message has the number of the line and repeats nothing of it.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise SettingError(f"Other people may read the token file; run: chmod 600 {path}")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingError(f"The token file cannot be read: {reason}.") from None
    found: list[Token] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            found.append(_token(number, line))
    if not found:
        raise SettingError("The token file holds no token, so no caller could use the Hub.")
    if len({token.secret for token in found}) < len(found):
        raise SettingError("Two lines of the token file have the same secret.")
    return found


def _token(number: int, line: str) -> Token:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        item = None
    if (
        not isinstance(item, dict)
        or set(item) != _FIELDS
        or not all(isinstance(v, str) for v in item.values())
    ):
        raise SettingError(
            f"Line {number} of the token file is no JSON object with the texts name, role and secret."
        )
    try:
        return Token(item["secret"], User(item["name"], item["role"]))
    except SettingError as error:
        raise SettingError(f"Line {number} of the token file: {error.message}") from None
