"""The table of messages that people send to those who run this site."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

TOPICS = ("question", "problem", "idea", "privacy", "other")
STATES = ("new", "read", "answered")


class ContactMessage(Base):
    """One message."""

    __tablename__ = "contact_messages"
    __table_args__ = (
        sa.CheckConstraint(sa.column("topic").in_(TOPICS), "topic"),
        sa.CheckConstraint(sa.column("state").in_(STATES), "state"),
    )

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    sent_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)
    #: None: sent by a visitor.
    member_id: Mapped[str | None] = mapped_column(
        sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True
    )
    #: Where an answer is wanted; empty: none is.
    email: Mapped[str] = mapped_column(sa.String(254), default="")
    topic: Mapped[str] = mapped_column(sa.String(16))
    text: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(16), default="new")
