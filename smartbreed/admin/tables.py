"""Tables of what admins decide, and of what was done."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime

#: Who does something: a member, a maintainer with the password, the person at the machine of an app without
#: one, the command line, the app by itself.
ACTORS = ("member", "password", "machine", "command line", "app")


class AuditEntry(Base):
    """That something was done. Rows are added and stay as they are: triggers refuse anything else, but that
    the ids of a deleted account become empty."""

    __tablename__ = "audit_entries"
    __table_args__ = (sa.CheckConstraint(sa.column("actor").in_(ACTORS), "actor"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(sa.String(16))
    #: The account that did it; None: no account, or one that was deleted.
    member_id: Mapped[str | None] = mapped_column(sa.String(26), index=True)
    #: One of `smartbreed.admin.audit.ACTIONS`.
    action: Mapped[str] = mapped_column(sa.String(32), index=True)
    #: What was done, in a few words that name no person.
    words: Mapped[str] = mapped_column(sa.String(300))
    #: The account that it was done to.
    about_id: Mapped[str | None] = mapped_column(sa.String(26), index=True)


class SiteSwitch(Base):
    """A feature or a cap as an admin has set it; without a row the settings count."""

    __tablename__ = "site_switches"

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    #: Of a feature 1 or 0.
    value: Mapped[int] = mapped_column(sa.BigInteger)
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
