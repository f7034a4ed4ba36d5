"""Who is signed in as a maintainer: two cookies in a browser, and rows of the database.

The browser holds a random value, the database only its hash: with a copy of the database one cannot sign
in. Replicas share the rows, a restart keeps them, and a sign-out is one everywhere. The second cookie
says that a browser signed in before.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, Sessions, UtcDateTime, read, write

COOKIE = "smartbreed_maintainer"
#: Names a browser that signed in before, so that others' wrong passwords cannot delay it.
DEVICE_COOKIE = "smartbreed_device"
#: How long a sign-in lasts, in seconds.
LASTS_S = 12 * 3600
#: How long a browser is remembered for `DEVICE_COOKIE`, in seconds.
DEVICE_LASTS_S = 180 * 86_400


def cookie_header(value: str, *, secure: bool) -> str:
    """``Set-Cookie`` that keeps a sign-in, or ends it when ``value`` is empty.

    Args:
        value: from `Maintainers.log_in`.
        secure: whether the page came over HTTPS.
    """
    return set_cookie(COOKIE, value, LASTS_S if value else 0, secure=secure)


def device_header(value: str, *, secure: bool) -> str:
    """``Set-Cookie`` that lets this browser be known at its next sign-in.

    Args:
        value: from `Maintainers.new_device`.
        secure: whether the page came over HTTPS.
    """
    return set_cookie(DEVICE_COOKIE, value, DEVICE_LASTS_S, secure=secure)


def set_cookie(name: str, value: str, age: int, *, secure: bool, same_site: str = "Strict") -> str:
    """``Set-Cookie`` for a cookie that no script can read.

    Args:
        age: seconds that it lasts; 0 ends it.
        secure: whether the page came over HTTPS.
        same_site: ``Lax``: sent along too when a link of another website is followed.
    """
    # A Space is shown inside a page of huggingface.co, where a strict cookie is never sent;
    # `from_other_site` refuses what other websites ask for either way.
    framed = "SameSite=None; Secure; Partitioned" if os.environ.get("SPACE_ID") else f"SameSite={same_site}"
    ends = "; Secure" if secure and "Secure" not in framed else ""
    return f"{name}={value}; Path=/; Max-Age={age}; HttpOnly; {framed}{ends}"


def read_cookie(headers: Mapping[str, str], name: str) -> str:
    """The value of a cookie; empty when it is missing or nonsense."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


class MaintainerSession(Base):
    """One sign-in that has not ended."""

    __tablename__ = "maintainer_sessions"

    #: sha256 of the value in the cookie, 64 hex digits.
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: Keyed hash of the password it was made with; another password ends it.
    password_mark: Mapped[str] = mapped_column(sa.String(64))
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


def open_session(sessions: Sessions, password_mark: str, now: dt.datetime, lasts: dt.timedelta) -> str:
    """Start a session, and delete those that have ended.

    Args:
        password_mark: of the password that opened it.

    Returns:
        The value for the cookie: 43 characters, known to the browser alone.

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
    """The id of the session that a cookie's value belongs to; empty when there is none (any more).

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
    """Sign a session out, in every window and on every replica.

    Raises:
        StorageError: the database refused.
    """
    with write(sessions) as session:
        session.execute(sa.delete(MaintainerSession).where(MaintainerSession.id == session_id))


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
