"""Who may do what only maintainers do: review, retrain, go back to an earlier model.

With ``SMARTBREED_MAINTAINER_PASSWORD`` a form asks for it once and a signed cookie keeps the
answer for twelve hours. Without it, whoever sits at the machine is the maintainer: everything
is open while the app listens on a loopback address and is reached under its name, and closed
on a Space and on any other address. Every handler of a maintainers' page or door asks
`Maintainers.require` before it does or shows anything.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from smartbreed.config import Settings
from smartbreed.errors import MaintainerError, SettingError
from smartbreed.feedback.salt import hash_token, load_salt
from smartbreed.waits import Waits

COOKIE = "smartbreed_maintainer"
#: How long a sign-in lasts, in seconds.
LASTS_S = 12 * 3600
#: Shortest password accepted.
SHORTEST = 8
_SET_ONE = "Set SMARTBREED_MAINTAINER_PASSWORD to open it for those who know the password."


class Asking(Protocol):
    """What a request has to have: gr.Request and Starlette's own fit."""

    @property
    def headers(self) -> Any: ...


@dataclass(frozen=True)
class Entry:
    """Whether somebody may come in.

    Attributes:
        state: ``in``; ``login``: with the password; ``closed``: not here, `why` says it.
        why: a sentence for the person; empty when they are in.
        session: what a reviewer's hash is made of; empty unless they are in.
    """

    state: Literal["in", "login", "closed"]
    why: str = ""
    session: str = ""


class Maintainers:
    """The one gate of all maintainers' pages and doors.

    Args:
        settings: the password and, for signatures, the salt.
        clock: the time in seconds; tests bring their own.
        pause: waits some seconds; tests bring their own.

    Raises:
        SettingError: the password is too short to be one.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._password = settings.maintainer_password
        if self._password and len(self._password) < SHORTEST:
            raise SettingError(
                f"SMARTBREED_MAINTAINER_PASSWORD: use at least {SHORTEST} characters. "
                f"Received: {len(self._password)} of them."
            )
        self._clock = clock
        self._host = ""
        self._waits = Waits(clock, pause)

    def listening_on(self, host: str) -> None:
        """Tell on which address the app is served; until then nothing is open without a password."""
        self._host = host

    @property
    def reachable(self) -> bool:
        """Whether anybody can get in at all, so that links to maintainers' pages lead somewhere."""
        return bool(self._password) or not self._closed()

    def entry(self, request: Asking | None) -> Entry:
        """Whether who sent this request may come in; never raises."""
        headers: Mapping[str, str] = {} if request is None else request.headers
        if not same_site(headers):
            return Entry("closed", "This request came from another website and was not carried out.")
        if self._password:
            session = self._read(headers)
            return Entry("in", session=session) if session else Entry("login", "Maintainers sign in here.")
        why = self._closed() or _through_others(headers)
        return Entry("closed", why) if why else Entry("in", session="this machine")

    def require(self, request: Asking | None) -> str:
        """The session of a maintainer, for `reviewer`.

        Raises:
            MaintainerError: ``sign_in`` (401) or ``closed`` (403); the message says what to do.
        """
        entry = self.entry(request)
        if entry.state == "login":
            raise MaintainerError("sign_in", "Your sign-in has ended; open the page again.", status=401)
        if entry.state == "closed":
            raise MaintainerError("closed", entry.why)
        return entry.session

    def enter(self, password: str, caller: str) -> str:
        """Check a password; blocks for a moment, for a second where wrong ones came from lately.

        Args:
            password: as typed.
            caller: address it came from, which others may share: what they get wrong slows the
                right one down, and never keeps it out (`smartbreed.waits`).

        Returns:
            The value of the cookie `COOKIE`.

        Raises:
            MaintainerError: ``wrong_password`` (403), ``too_many_tries`` (429, too many are being
                compared) or ``closed`` (no password is set).
        """
        if not self._password:
            raise MaintainerError("closed", f"There is no password to sign in with. {_SET_ONE}")
        if not self._waits.compare(
            caller, lambda: hmac.compare_digest(self._stretched(password), self._wanted)
        ):
            raise MaintainerError("wrong_password", "That is not the password; try again.")
        text = f"{int(self._clock()) + LASTS_S}.{secrets.token_hex(16)}"
        return f"{text}.{self._sign(text)}"

    def reviewer(self, session: str) -> str:
        """Salted hash that stands for a maintainer's session: 64 hex digits."""
        return hash_token(self._salt, f"maintainer {session}")

    def _closed(self) -> str:
        """Why nobody gets in without a password; empty when they do."""
        if os.environ.get("SPACE_ID"):
            return f"This page is closed, because this Space has no maintainers' password. {_SET_ONE}"
        if not _is_loopback(self._host):
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

    def _sign(self, text: str) -> str:
        # The password is part of the key: changing it signs everybody out.
        key = hmac.digest(self._salt, f"maintainer cookie {self._password}".encode(), "sha256")
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def _read(self, headers: Mapping[str, str]) -> str:
        """The session of a valid cookie, else empty."""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        expires, _, rest = (found.value if found else "").partition(".")
        session, _, signature = rest.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) < 12 and signature.isascii()):
            return ""
        signed = hmac.compare_digest(signature, self._sign(f"{expires}.{session}"))
        return session if signed and int(expires) > self._clock() else ""


def cookie_header(value: str, *, secure: bool) -> str:
    """``Set-Cookie`` that keeps a sign-in, or ends it when ``value`` is empty.

    Args:
        value: from `Maintainers.enter`.
        secure: whether the page came over HTTPS.
    """
    age = LASTS_S if value else 0
    # A Space is shown inside a page of huggingface.co, where a strict cookie is never sent;
    # `same_site` refuses what other websites ask for either way.
    framed = "SameSite=None; Secure; Partitioned" if os.environ.get("SPACE_ID") else "SameSite=Strict"
    ends = "; Secure" if secure and "Secure" not in framed else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; {framed}{ends}"


def _is_loopback(host: str) -> bool:
    name = host.strip("[]").casefold()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _through_others(headers: Mapping[str, str]) -> str:
    """Why a request that reached a loopback address may still be a stranger's; empty when it is not."""
    forwarded = any(headers.get(name) for name in ("forwarded", "x-forwarded-for", "x-forwarded-host"))
    host = headers.get("host", "")
    # Another name is a web page that has had itself resolved to this machine (DNS rebinding).
    if forwarded or not _is_loopback(_name(host)):
        return f"This page is closed, because it is reached through another machine. {_SET_ONE}"
    return ""


def same_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser would call the request this site's own; other programs send no origin."""
    origin = headers.get("origin")
    if not origin:
        return True
    ours = {headers.get("host", ""), headers.get("x-forwarded-host", "")} - {""}
    try:
        return urlsplit(origin).netloc in ours
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name or address in a Host header; empty for nonsense."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
