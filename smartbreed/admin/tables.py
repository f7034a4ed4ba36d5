"""Tables of the feature switches and caps that admins set, and of the audit log."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime

#: Kinds of actors: a member, a maintainer with the password, the person at the machine if the app has no
#: password, the command line, the app itself.
ACTORS = ("member", "password", "machine", "command line", "app")


class AuditEntry(Base):
    """One action in the audit log.

    Rows are append-only: triggers refuse every change except clearing the ids of a deleted account.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (sa.CheckConstraint(sa.column("actor").in_(ACTORS), "actor"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(sa.String(16))
    #: The account that acted; None if it was no account, or one that was deleted.
    member_id: Mapped[str | None] = mapped_column(sa.String(26), index=True)
    #: One of `smartbreed.admin.audit.ACTIONS`.
    action: Mapped[str] = mapped_column(sa.String(32), index=True)
    #: Description of the action, in a few words that name no person.
    words: Mapped[str] = mapped_column(sa.String(300))
    #: The account that was acted on; None if it was no account, or one that was deleted.
    about_id: Mapped[str | None] = mapped_column(sa.String(26), index=True)


class SiteSwitch(Base):
    """A feature or a cap that an admin has set; without a row, the settings apply."""

    __tablename__ = "site_switches"

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    #: A feature: 1 or 0; a cap: its number.
    value: Mapped[int] = mapped_column(sa.BigInteger)
    changed_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
