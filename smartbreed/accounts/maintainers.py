"""Who may do what only maintainers do: review, retrain, go back to an earlier model.

With ``SMARTBREED_MAINTAINER_PASSWORD`` a form asks for it once; the database keeps the sign-in for
twelve hours (`smartbreed.accounts.maintainer_sessions`) and a cookie names it. Without a password the
person at this machine is the maintainer: everything is open while the app listens on a loopback
address, is reached under its name and through no proxy; on a Space and on any other address it is
closed. Every handler of a maintainers' page and every route for them asks `Maintainers.require`
before it does or shows anything: for the session, and for the token that only our own pages get.
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
#: What a request of another website is answered.
OTHER_SITE = "This request came from another website and was not carried out."
#: Shortest password accepted.
SHORTEST = 8
#: Before the id of a member's session.
_MEMBER = "member "
_SET_ONE = "Set SMARTBREED_MAINTAINER_PASSWORD to open it for those who know the password."


class Asking(Protocol):
    """What a request has to have: gr.Request and Starlette's own fit."""

    @property
    def headers(self) -> Any: ...


@dataclass(frozen=True)
class AuthResult:
    """The answer to a request that wants to do what maintainers do.

    Attributes:
        state: ``in``; ``login``: with the password; ``closed``: not here, `why` says it.
        why: a sentence for the person; empty when they are in.
        session: what a reviewer's hash is made of; empty unless they are in.
    """

    state: Literal["in", "login", "closed"]
    why: str = ""
    session: str = ""


class Maintainers:
    """Authentication of all maintainers' pages and interfaces.

    Args:
        settings: the password and, for signatures, the salt.
        clock: the time in seconds; tests bring their own.
        pause: waits some seconds; tests bring their own.
        sessions: opens the database, on first use; None: that of the settings.
        members: accounts, of which those with the role of a maintainer get in, too.

    Raises:
        SettingError: the password is too short to be one.
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
        """Tell on which address the app is served; until then nothing is open without a password."""
        self._host = host

    @property
    def reachable(self) -> bool:
        """Whether it is possible to sign in at all, so that links to maintainers' pages lead somewhere."""
        if self._password or not self._closed():
            return True
        with suppress(StorageError):
            return self._members is not None and self._members.has_maintainers
        return False

    def authenticate(self, request: Asking | None) -> AuthResult:
        """Whether this request may do what maintainers do; never raises."""
        auth = self.session(request)
        if auth.state != "in" or request is None:
            return auth
        given = str(request.headers.get(TOKEN_HEADER) or "")
        if hmac.compare_digest(given.encode(), self.token(auth.session).encode()):
            return auth
        return AuthResult("closed", "This page does not belong to the present sign-in; load it again.")

    def session(self, request: Asking | None) -> AuthResult:
        """Whether this request comes from a maintainer's browser, whatever page it shows; never raises.

        Enough to hand the token to our own page, and for nothing else.
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
        """The session of a maintainer, for `reviewer`.

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
        """What a page has to send along with everything it does in a session: 64 hex digits."""
        return hmac.digest(self._salt, f"maintainer token {session}".encode(), "sha256").hex()

    def log_in(self, password: str, caller: str, device: str = "") -> str:
        """Check a password; blocks for a moment, for a second where wrong ones came from lately.

        Args:
            password: as typed.
            caller: address it came from, which others may share: what they get wrong slows the
                right one down, and never keeps it out (`smartbreed.throttle.login_throttle`).
            device: from `device_of`, when this browser signed in before.

        Returns:
            The value of the cookie `COOKIE`.

        Raises:
            MaintainerError: ``wrong_password`` (403), ``too_many_tries`` (429, too many are being
                compared) or ``closed`` (no password is set).
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
        """End the session of a request on the server; without one there is nothing to end.

        Raises:
            MaintainerError: it came from another website, or without the session's token.
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
        """Value of `DEVICE_COOKIE` for a browser that has just signed in."""
        return self._devices.sign(secrets.token_hex(16)).decode()

    def device_of(self, request: Asking) -> str:
        """The name we gave this browser when it signed in before; empty when we gave it none."""
        with suppress(BadSignature):
            return self._devices.unsign(read_cookie(request.headers, DEVICE_COOKIE)).decode()
        return ""

    def actor(self, session: str) -> Actor:
        """Who does what is done in a maintainer's session, for the audit log.

        Raises:
            StorageError: the database refused.
        """
        if self._members is not None and session.startswith(_MEMBER):
            return Actor("member", self._members.member_of(session.removeprefix(_MEMBER)))
        return Actor("password" if self._password else "machine")

    def reviewer(self, session: str) -> str:
        """Salted hash that stands for a maintainer's session: 64 hex digits."""
        return hash_token(self._salt, f"maintainer {session}")

    def _member(self, headers: Mapping[str, str]) -> str:
        """The session of a member with the role of a maintainer, marked as one; else empty."""
        who = self._members.of(headers) if self._members is not None else None
        return f"{_MEMBER}{who.session}" if who is not None and who.maintains else ""

    def _closed(self) -> str:
        """Why a password is needed here; empty when none is."""
        if os.environ.get("SPACE_ID"):
            return f"This page is closed, because this Space has no maintainers' password. {_SET_ONE}"
        if not is_loopback(self._host):
            return f"This page is closed, because others can reach this address too. {_SET_ONE}"
        return ""

    def _stretched(self, password: str) -> bytes:
        """Takes some 50 ms: all that a guess from a new address costs."""
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
        """Stands for the password in the database; made of its stretched form, so no easier to guess."""
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
        """The session that the cookie names, else empty."""
        value = read_cookie(headers, COOKIE)
        return (
            maintainer_sessions.find_session(self._sessions, value, self._mark, self._now()) if value else ""
        )


def _through_others(headers: Mapping[str, str]) -> str:
    """Why a request to a loopback address may come from another machine; empty when it does not."""
    # Another name is a web page that has had itself resolved to this machine (DNS rebinding).
    if passed_on(headers) or not is_loopback(host_name(headers.get("host", ""))):
        return f"This page is closed, because it is reached through another machine. {_SET_ONE}"
    return ""
