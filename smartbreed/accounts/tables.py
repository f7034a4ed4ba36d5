"""Database tables of member accounts and of the data that belongs to them."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: The roles of accounts, from the fewest rights to the most. Visitors have no account.
ROLES = ("member", "maintainer", "admin")


class Member(Base):
    """A person with an account."""

    __tablename__ = "members"
    __table_args__ = (sa.CheckConstraint(sa.column("role").in_(ROLES), "role"), sa.UniqueConstraint("email"))

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: Normalised; None if the provider that they sign in with gives none.
    email: Mapped[str | None] = mapped_column(sa.String(254))
    name: Mapped[str] = mapped_column(sa.String(60), default="")
    #: An argon2 hash with its parameters; None if they use a provider or have not chosen a password yet.
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    role: Mapped[str] = mapped_column(sa.String(16), default="member")
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    #: When the address was confirmed; until then they cannot sign in.
    verified_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: When an administrator closed the account.
    disabled_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: When they agreed that photos they identify are kept for them; None if they have not.
    keeps_photos_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


def _member() -> Mapped[str]:
    """Return a foreign key to the member that a row belongs to; the row is deleted with the member."""
    return mapped_column(sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True)


class MemberIdentity(Base):
    """An account at an identity provider that a member signs in with."""

    __tablename__ = "member_identities"

    #: The provider's base URL, such as ``https://accounts.google.com``, and its id of the person.
    issuer: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    member_id: Mapped[str] = _member()
    joined_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class MemberSession(Base):
    """A session of a signed-in member."""

    __tablename__ = "member_sessions"

    #: sha256 of the value in the cookie, 64 hex digits.
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    member_id: Mapped[str] = _member()
    opened_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)
    #: Browser and operating system from the ``User-Agent``, for the member's list of sessions.
    browser: Mapped[str] = mapped_column(sa.String(80))


class UsedToken(Base):
    """A mailed link that was used; the row is kept until the link would have expired."""

    __tablename__ = "used_tokens"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


class MemberFlag(Base):
    """The owner of a flag. This relation never leaves the database."""

    __tablename__ = "member_flags"

    flag_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("flags.id", ondelete="CASCADE"), primary_key=True
    )
    member_id: Mapped[str] = _member()


class MemberPhoto(Base):
    """A photo that a member identified and chose to keep, with its answer; visible to them only."""

    __tablename__ = "member_photos"
    __table_args__ = (sa.UniqueConstraint("member_id", "sample_id"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    member_id: Mapped[str] = _member()
    #: sha256 of the stored file, which is also its name.
    sample_id: Mapped[str] = mapped_column(sa.String(64), index=True)
    #: Name of the member's file.
    name: Mapped[str] = mapped_column(sa.String(200))
    #: Size of the stored file, in bytes.
    size: Mapped[int]
    #: The answer in the JSON of the public API.
    answer: Mapped[str] = mapped_column(sa.Text)
    kept_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class DeletionReceipt(Base):
    """The progress of an account's deletion; it identifies no person."""

    __tablename__ = "deletion_receipts"

    #: Random; knowing it is enough to read the receipt.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    #: When all rows of the account were deleted from the database, in one transaction.
    rows_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    flags: Mapped[int]
    published: Mapped[int]
    #: When the photos were deleted from disk, and when the published flags were gone from the dataset and its
    #: history; None if that is still to be done.
    photos_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    dataset_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: JSON of what is left to delete: ``photos`` of flags, ``kept`` photos, ``models`` and their ``repos``,
    #: and ``rows`` and ``paths`` of the dataset; None when all is done.
    pending: Mapped[str | None] = mapped_column(sa.Text)


def member_by_email(session: Session, address: str) -> Member | None:
    """Return the account with an address, which must be normalised; None if there is none."""
    return session.scalar(sa.select(Member).where(Member.email == address))
