"""Who is signed in as a maintainer: rows of the database, so that a sign-out is one everywhere.

The browser holds a random value, the database only its hash: a copy of the database signs nothing
in. Replicas share the rows, and a restart keeps them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, Sessions, UtcDateTime, read, write

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
