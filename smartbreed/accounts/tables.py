"""Tables of the people who have an account here, and of what belongs to them."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: What an account may be; a visitor has none.
ROLES = ("member", "maintainer", "admin")


class Member(Base):
    """A person with an account."""

    __tablename__ = "members"
    __table_args__ = (sa.CheckConstraint(sa.column("role").in_(ROLES), "role"), sa.UniqueConstraint("email"))

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: Normalised; None: the provider that they sign in with gives none.
    email: Mapped[str | None] = mapped_column(sa.String(254))
    name: Mapped[str] = mapped_column(sa.String(60), default="")
    #: Of argon2, with its parameters; None: they sign in with a provider, or have not chosen one yet.
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    role: Mapped[str] = mapped_column(sa.String(16), default="member")
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    #: When the address was shown to be theirs; nothing is open to them before.
    verified_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: When an administrator closed the account.
    disabled_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: When they agreed that photos they identify are kept for them; None: they are not.
    keeps_photos_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


def _member() -> Mapped[str]:
    """A column that names the member a row belongs to, and goes with them."""
    return mapped_column(sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True)


class MemberIdentity(Base):
    """One account at a provider that a member signs in with."""

    __tablename__ = "member_identities"

    #: Who vouches, such as ``https://accounts.google.com``, and what they call the person.
    issuer: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    member_id: Mapped[str] = _member()
    joined_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class MemberSession(Base):
    """One sign-in that has not ended."""

    __tablename__ = "member_sessions"

    #: sha256 of the value in the cookie, 64 hex digits.
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    member_id: Mapped[str] = _member()
    opened_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)
    #: Browser and system, as far as they say so; for the list of one's own sessions.
    browser: Mapped[str] = mapped_column(sa.String(80))


class UsedToken(Base):
    """A mailed link that has done its work, until it would have expired."""

    __tablename__ = "used_tokens"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


class MemberFlag(Base):
    """That a flag is a member's; it never leaves this database."""

    __tablename__ = "member_flags"

    flag_id: Mapped[str] = mapped_column(
        sa.String(26), sa.ForeignKey("flags.id", ondelete="CASCADE"), primary_key=True
    )
    member_id: Mapped[str] = _member()


class MemberPhoto(Base):
    """A photo that a member identified and wanted to be kept, with the answer; for them alone."""

    __tablename__ = "member_photos"
    __table_args__ = (sa.UniqueConstraint("member_id", "sample_id"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    member_id: Mapped[str] = _member()
    #: sha256 of the stored file, which is its name.
    sample_id: Mapped[str] = mapped_column(sa.String(64), index=True)
    #: Of the member's file.
    name: Mapped[str] = mapped_column(sa.String(200))
    #: In bytes.
    size: Mapped[int]
    #: JSON of the contract.
    answer: Mapped[str] = mapped_column(sa.Text)
    kept_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class DeletionReceipt(Base):
    """What was done to delete an account, and when; names no person."""

    __tablename__ = "deletion_receipts"

    #: Random; who has it may look at the receipt.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    #: When account, sessions, identities and flags were deleted from the database, in one transaction.
    rows_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    flags: Mapped[int]
    published: Mapped[int]
    #: When the photos had left the disk, and the published flags the dataset and its history.
    photos_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    dataset_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: JSON of what is left to do: ``photos`` of flags and ``kept`` ones, ``rows`` and ``paths`` of the
    #: dataset; None when all is done.
    pending: Mapped[str | None] = mapped_column(sa.Text)


def member_by_email(session: Session, address: str) -> Member | None:
    """The account of an address; it must be `normalise`d."""
    return session.scalar(sa.select(Member).where(Member.email == address))
