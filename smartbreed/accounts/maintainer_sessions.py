"""Sessions of maintainers: two cookies in the browser and rows in the database.

The browser holds a random value and the database only its hash, so a copy of the database is not enough to
sign in. The rows are shared by replicas and survive a restart; a sign-out takes effect everywhere. The second
cookie marks a browser that signed in before.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import secrets
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, Sessions, UtcDateTime, read, write

COOKIE = "smartbreed_maintainer"
#: Identifies a browser that signed in before, so that wrong passwords from elsewhere cannot delay it.
DEVICE_COOKIE = "smartbreed_device"
#: Lifetime of a session, in seconds.
LASTS_S = 12 * 3600
#: Lifetime of `DEVICE_COOKIE`, in seconds.
DEVICE_LASTS_S = 180 * 86_400


def cookie_header(value: str, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` header that starts a session, or ends it if ``value`` is empty.

    Args:
        value: from `Maintainers.log_in`.
        secure: whether the page came over HTTPS.
    """
    return set_cookie(COOKIE, value, LASTS_S if value else 0, secure=secure)


def device_header(value: str, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` header by which this browser is recognised at its next sign-in.

    Args:
        value: from `Maintainers.new_device`.
        secure: whether the page came over HTTPS.
    """
    return set_cookie(DEVICE_COOKIE, value, DEVICE_LASTS_S, secure=secure)


def set_cookie(name: str, value: str, age: int, *, secure: bool, same_site: str = "Strict") -> str:
    """Return the ``Set-Cookie`` header of a cookie that scripts cannot read.

    Args:
        age: lifetime in seconds; 0 deletes the cookie.
        secure: whether the page came over HTTPS.
        same_site: ``Strict``, or ``Lax`` to send the cookie also when a link on another website is followed.
            Ignored on a Space.
    """
    # A Space is shown in a frame on huggingface.co, where a strict cookie is never sent. `from_other_site`
    # refuses requests from other websites in either case.
    framed = "SameSite=None; Secure; Partitioned" if os.environ.get("SPACE_ID") else f"SameSite={same_site}"
    ends = "; Secure" if secure and "Secure" not in framed else ""
    return f"{name}={value}; Path=/; Max-Age={age}; HttpOnly; {framed}{ends}"


def read_cookie(headers: Mapping[str, str], name: str) -> str:
    """Return the value of a cookie, without quotation marks around it; empty if it is missing or not ASCII.

    Of several with this name the last counts.
    """
    # Not SimpleCookie, which drops every cookie after one that it cannot parse, and other apps of the same
    # domain may set such cookies.
    value = ""
    for pair in headers.get("cookie", "").split(";"):
        key, _, text = pair.partition("=")
        if key.strip() == name:
            value = text.strip()
    if not value.isascii():
        return ""  # none of ours
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


class MaintainerSession(Base):
    """A session of a signed-in maintainer."""

    __tablename__ = "maintainer_sessions"

    #: sha256 of the value in the cookie, 64 hex digits.
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: Keyed hash of the password at sign-in; a changed password ends the session.
    password_mark: Mapped[str] = mapped_column(sa.String(64))
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


def open_session(sessions: Sessions, password_mark: str, now: dt.datetime, lasts: dt.timedelta) -> str:
    """Start a session, and delete those that have expired or were opened with another password.

    Args:
        password_mark: keyed hash of the password that opened it.

    Returns:
        The value for the cookie: 43 characters, known to the browser only.

    Raises:
        StorageError: the database refused.
    """
    value = secrets.token_urlsafe(32)
    with write(sessions) as session:
        session.execute(
            sa.delete(MaintainerSession).where(
                (MaintainerSession.expires_at <= now) | (MaintainerSession.password_mark != password_mark)
            )
        )
        session.add(MaintainerSession(id=_hash(value), password_mark=password_mark, expires_at=now + lasts))
    return value


def find_session(sessions: Sessions, value: str, password_mark: str, now: dt.datetime) -> str:
    """Return the id of the session that a cookie's value belongs to; empty if there is none or it has ended.

    Raises:
        StorageError: the database refused.
    """
    if not _VALUE.fullmatch(value):
        return ""
    with read(sessions) as session:
        found = session.get(MaintainerSession, _hash(value))
    live = found is not None and found.password_mark == password_mark and found.expires_at > now
    return found.id if found is not None and live else ""


def end_session(sessions: Sessions, session_id: str) -> None:
    """End a session, in every window and on every replica.

    Raises:
        StorageError: the database refused.
    """
    with write(sessions) as session:
        session.execute(sa.delete(MaintainerSession).where(MaintainerSession.id == session_id))


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
