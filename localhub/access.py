"""Who may do what: tokens with the role read or write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from localhub.names import repo_name
from localhub.problems import HubError, no_repo
from smartbreed.core.errors import SettingError

Role = Literal["read", "write"]


@dataclass(frozen=True)
class User:
    """A caller; `name` is the author of its commits and the owner of repos it names without an owner."""

    name: str
    role: Role


@dataclass(frozen=True)
class Token:
    """A secret and whom it stands for.

    Raises:
        SettingError: a secret under 8 characters, or an unusable name.
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


#: Everybody, where no tokens are configured.
LOCAL = User("local", "write")


class Access:
    """The rules of one Hub.

    Args:
        tokens: who is known. With none, everybody who reaches the Hub is `LOCAL` and may do
            everything: only for a Hub no other machine reaches.
        anonymous_read: whether callers without a token may read repos that are not private.
    """

    def __init__(self, tokens: Iterable[Token] = (), *, anonymous_read: bool = True) -> None:
        # Looked up by hash: the time that takes says nothing about the secret.
        self._users = {_digest(token.secret): token.user for token in tokens}
        self.anonymous_read = anonymous_read

    @property
    def open(self) -> bool:
        """Whether there are no tokens."""
        return not self._users

    def user(self, authorization: str | None) -> User | None:
        """The caller of a request; None when it carries no token.

        Args:
            authorization: the header, ``Bearer SECRET``.

        Raises:
            HubError: 401 for a token nobody has.
        """
        if self.open:
            return LOCAL
        if not authorization:
            return None
        scheme, _, secret = authorization.partition(" ")
        user = self._users.get(_digest(secret.strip())) if scheme.lower() == "bearer" else None
        if user is None:
            # Those very words, or the client takes it for a repo that is not there.
            raise HubError(401, "Invalid credentials in Authorization header")
        return user

    def check_read(self, user: User | None, repo_id: str, *, private: bool) -> None:
        """Refuse who may not read a repo, in the words for one that is not there.

        Raises:
            HubError: 401 with ``RepoNotFound``.
        """
        if user is None and (private or not self.anonymous_read):
            missing = no_repo(repo_id)
            raise HubError(401, missing.message, header=missing.header)

    def check_write(self, user: User | None) -> User:
        """The caller, who may write.

        Raises:
            HubError: 401 without a token, 403 with one that only reads.
        """
        if user is None:
            raise HubError(401, "A token is needed to change anything here")
        if user.role != "write":
            raise HubError(403, "This token may only read")
        return user


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
