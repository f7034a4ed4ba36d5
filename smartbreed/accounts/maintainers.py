"""Access control for maintainers, who may review, retrain and go back to an earlier model.

With ``SMARTBREED_MAINTAINER_PASSWORD`` set, a form asks for the password. The sign-in lasts twelve hours: a
cookie names a session in the database (`smartbreed.accounts.maintainer_sessions`). Without a password, the
person at this machine is the maintainer: access is open while the app listens on a loopback address and is
reached under a loopback name, not through a proxy. On a Space and on any other address it is closed. Every
handler and route for maintainers calls `Maintainers.require` before it does or shows anything, which checks
the session and the token that only our own pages get.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from itsdangerous import BadSignature, Signer

from smartbreed.accounts import maintainer_sessions
from smartbreed.accounts.maintainer_sessions import COOKIE, DEVICE_COOKIE, LASTS_S, read_cookie
from smartbreed.accounts.members import Members
from smartbreed.accounts.origin import from_other_site, host_name, is_loopback, passed_on, public_origin
from smartbreed.admin.actor import Actor
from smartbreed.core.database import Sessions
from smartbreed.core.errors import MaintainerError, SettingError, StorageError
from smartbreed.core.salt import hash_token, load_salt
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import open_feedback
from smartbreed.throttle.login_throttle import LoginThrottle

#: The header in which our pages send the token of their session.
TOKEN_HEADER = "x-smartbreed-token"
#: The message for a request that comes from another website.
OTHER_SITE = "This request came from another website and was not carried out."
#: Minimum length of the password, in characters.
SHORTEST = 8
#: Prefix that marks the session id of a signed-in member.
_MEMBER = "member "
_SET_ONE = "Set SMARTBREED_MAINTAINER_PASSWORD to open it for those who know the password."


class Asking(Protocol):
    """The part of a request that is needed; ``gr.Request`` and Starlette's ``Request`` both have it."""

    @property
    def headers(self) -> Any: ...


@dataclass(frozen=True)
class AuthResult:
    """Whether a request may act as a maintainer.

    Attributes:
        state: ``in`` if it may; ``login`` if a sign-in is needed; ``closed`` if access is refused for the
            reason in `why`.
        why: a sentence for the person; empty if ``in``.
        session: the session, from which `Maintainers.reviewer` makes its hash; empty unless ``in``.
    """

    state: Literal["in", "login", "closed"]
    why: str = ""
    session: str = ""


class Maintainers:
    """Authentication for all maintainer pages and interfaces.

    Args:
        settings: the password and, for signatures, the salt.
        clock: returns the time in seconds; replaceable in tests.
        pause: sleeps for a number of seconds; replaceable in tests.
        sessions: opens the database, on first use; None for the database of the settings.
        members: member accounts; maintainers and admins among them get access too. None if there are none.

    Raises:
        SettingError: the password is shorter than `SHORTEST`.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
        sessions: Callable[[], Sessions] | None = None,
        members: Members | None = None,
    ) -> None:
        self._settings = settings
        self._members = members
        self._open = sessions or self._own_sessions
        self._public = public_origin(settings.public_url)
        self._password = settings.maintainer_password
        if self._password and len(self._password) < SHORTEST:
            raise SettingError(
                f"SMARTBREED_MAINTAINER_PASSWORD: use at least {SHORTEST} characters. "
                f"Received: {len(self._password)} of them."
            )
        self._clock = clock
        self._host = ""
        self._throttle = LoginThrottle(
            "maintainers", lambda: self._sessions, lambda: self._salt, clock, pause
        )

    def listening_on(self, host: str) -> None:
        """Set the address that the app listens on; until then nothing is open without a password."""
        self._host = host

    @property
    def reachable(self) -> bool:
        """Whether anyone can get access at all, so that links to maintainer pages are worth showing."""
        if self._password or not self._closed():
            return True
        with suppress(StorageError):
            return self._members is not None and self._members.has_maintainers
        return False

    def authenticate(self, request: Asking | None) -> AuthResult:
        """Check that a request has a maintainer's session and its token; never raises."""
        auth = self.session(request)
        if auth.state != "in" or request is None:
            return auth
        given = str(request.headers.get(TOKEN_HEADER) or "")
        try:
            expected = self.token(auth.session)
        except StorageError as error:
            return AuthResult("closed", error.message)
        if hmac.compare_digest(given.encode(), expected.encode()):
            return auth
        return AuthResult("closed", "This page does not belong to the present sign-in; load it again.")

    def session(self, request: Asking | None) -> AuthResult:
        """Check that a request has a maintainer's session, without checking the token; never raises.

        This is enough to hand the token to one of our own pages, and for nothing else.
        """
        headers: Mapping[str, str] = {} if request is None else request.headers
        if from_other_site(headers, self._public):
            return AuthResult("closed", OTHER_SITE)
        try:
            session = (self._read(headers) if self._password else "") or self._member(headers)
        except StorageError as error:
            return AuthResult("closed", error.message)
        if self._password or session:
            return (
                AuthResult("in", session=session)
                if session
                else AuthResult("login", "Maintainers sign in here.")
            )
        why = self._closed() or _through_others(headers)
        return AuthResult("closed", why) if why else AuthResult("in", session="this machine")

    def require(self, request: Asking | None) -> str:
        """Return the session of a maintainer, for `reviewer` and `actor`.

        Raises:
            MaintainerError: ``sign_in`` (401) or ``closed`` (403); the message says what to do.
        """
        auth = self.authenticate(request)
        if auth.state == "login":
            raise MaintainerError("sign_in", "Your sign-in has ended; open the page again.", status=401)
        if auth.state == "closed":
            raise MaintainerError("closed", auth.why)
        return auth.session

    def token(self, session: str) -> str:
        """Return the CSRF token that a page sends with every action in a session: 64 hex digits."""
        return hmac.digest(self._salt, f"maintainer token {session}".encode(), "sha256").hex()

    def log_in(self, password: str, caller: str, device: str = "") -> str:
        """Check a password and open a session.

        Blocks for a moment, and for at least a second after recent failures from the same caller.

        Args:
            password: as typed.
            caller: network address of the request. Others may share it: their failures slow down the right
                password, but never lock it out (`smartbreed.throttle.login_throttle`).
            device: from `device_of`, if this browser signed in before; else empty.

        Returns:
            The value of the cookie `COOKIE`.

        Raises:
            MaintainerError: ``wrong_password`` (403), ``too_many_tries`` (429, too many comparisons are
                waiting) or ``closed`` (no password is set).
            StorageError: the database refused.
        """
        if not self._password:
            raise MaintainerError("closed", f"There is no password to sign in with. {_SET_ONE}")
        if not self._throttle.compare(
            caller, lambda: hmac.compare_digest(self._stretched(password), self._wanted), device
        ):
            raise MaintainerError("wrong_password", "That is not the password; try again.")
        return maintainer_sessions.open_session(
            self._sessions, self._mark, self._now(), dt.timedelta(seconds=LASTS_S)
        )

    def log_out(self, request: Asking) -> None:
        """End the session of a request on the server; do nothing if it has none.

        Raises:
            MaintainerError: the request came from another website or lacks the session's token.
            StorageError: the database refused.
        """
        auth = self.authenticate(request)
        if auth.state == "closed":
            raise MaintainerError("closed", auth.why)
        if self._members is not None and auth.session.startswith(_MEMBER):
            self._members.end_session(auth.session.removeprefix(_MEMBER))
        elif self._password and auth.session:
            maintainer_sessions.end_session(self._sessions, auth.session)

    def new_device(self) -> str:
        """Return a value of `DEVICE_COOKIE` for a browser that has just signed in."""
        return self._devices.sign(secrets.token_hex(16)).decode()

    def device_of(self, request: Asking) -> str:
        """Return the device id that this browser got at an earlier sign-in; empty if it has none."""
        with suppress(BadSignature):
            return self._devices.unsign(read_cookie(request.headers, DEVICE_COOKIE)).decode()
        return ""

    def actor(self, session: str) -> Actor:
        """Return who acts in a maintainer's session, for the audit log.

        Raises:
            StorageError: the database refused.
        """
        if self._members is not None and session.startswith(_MEMBER):
            return Actor("member", self._members.member_of(session.removeprefix(_MEMBER)))
        return Actor("password" if self._password else "machine")

    def reviewer(self, session: str) -> str:
        """Return the salted hash that identifies a maintainer's session in reviews: 64 hex digits."""
        return hash_token(self._salt, f"maintainer {session}")

    def _member(self, headers: Mapping[str, str]) -> str:
        """Return the session of a signed-in maintainer or admin with the prefix `_MEMBER`; else empty."""
        who = self._members.of(headers) if self._members is not None else None
        return f"{_MEMBER}{who.session}" if who is not None and who.maintains else ""

    def _closed(self) -> str:
        """Return why a password is needed here; empty if none is."""
        if os.environ.get("SPACE_ID"):
            return f"This page is closed, because this Space has no maintainers' password. {_SET_ONE}"
        if not is_loopback(self._host):
            return f"This page is closed, because others can reach this address too. {_SET_ONE}"
        return ""

    def _stretched(self, password: str) -> bytes:
        """Derive a key with scrypt, which takes about 50 ms: the only cost of a guess from a new address."""
        text = password.encode("utf-8", "surrogatepass")
        return hashlib.scrypt(text, salt=self._salt, n=2**14, r=8, p=1)

    @cached_property
    def _wanted(self) -> bytes:
        return self._stretched(self._password)

    @cached_property
    def _salt(self) -> bytes:
        return load_salt(self._settings)

    @cached_property
    def _mark(self) -> str:
        """Identifies the password in the database; derived from the scrypt key, so as hard to guess."""
        return hmac.digest(self._wanted, b"maintainer session", "sha256").hex()

    @cached_property
    def _sessions(self) -> Sessions:
        return self._open()

    def _own_sessions(self) -> Sessions:
        return open_feedback(self._settings).sessions

    @cached_property
    def _devices(self) -> Signer:
        return Signer(self._salt, "maintainer device", digest_method=hashlib.sha256)

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), dt.UTC)

    def _read(self, headers: Mapping[str, str]) -> str:
        """Return the id of the session that the cookie names; empty if there is none."""
        value = read_cookie(headers, COOKIE)
        return (
            maintainer_sessions.find_session(self._sessions, value, self._mark, self._now()) if value else ""
        )


def _through_others(headers: Mapping[str, str]) -> str:
    """Return why a request to a loopback address may come from another machine; empty if it does not."""
    # Any other host name may be a web page whose name resolves to this machine (DNS rebinding).
    if passed_on(headers) or not is_loopback(host_name(headers.get("host", ""))):
        return f"This page is closed, because it is reached through another machine. {_SET_ONE}"
    return ""
