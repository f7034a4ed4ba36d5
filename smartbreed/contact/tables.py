"""The table of messages sent through the contact form."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

TOPICS = ("question", "problem", "idea", "privacy", "other")
STATES = ("new", "read", "answered")


class ContactMessage(Base):
    """A message sent through the contact form."""

    __tablename__ = "contact_messages"
    __table_args__ = (
        sa.CheckConstraint(sa.column("topic").in_(TOPICS), "topic"),
        sa.CheckConstraint(sa.column("state").in_(STATES), "state"),
    )

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    sent_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)
    #: None if sent by a visitor who was not signed in.
    member_id: Mapped[str | None] = mapped_column(
        sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True
    )
    #: Address for an answer; empty if none is wanted.
    email: Mapped[str] = mapped_column(sa.String(254), default="")
    topic: Mapped[str] = mapped_column(sa.String(16))
    text: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), default="new")
