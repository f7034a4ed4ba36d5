"""The table of the quiz: games that are played, and those that ended."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: What is asked about, and how a game ends: after five rounds against the clock, or with the third mistake.
KINDS = ("photos", "facts")
MODES = ("timed", "endless")
#: ``asked``: a question is open; ``shown``: its answer is shown; ``over``: the game has ended.
STAGES = ("asked", "shown", "over")


class QuizGame(Base):
    """One game."""

    __tablename__ = "quiz_games"
    __table_args__ = (
        sa.CheckConstraint(sa.column("kind").in_(KINDS), "kind"),
        sa.CheckConstraint(sa.column("mode").in_(MODES), "mode"),
        sa.CheckConstraint(sa.column("stage").in_(STAGES), "stage"),
        sa.Index(None, "kind", "mode", "ended_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: Stands for the browser that plays, 32 hex digits.
    mark: Mapped[str] = mapped_column(sa.String(64), index=True)
    member_id: Mapped[str | None] = mapped_column(
        sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(sa.String(16))
    mode: Mapped[str] = mapped_column(sa.String(16))
    stage: Mapped[str] = mapped_column(sa.String(16), default="asked")
    started_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: Rounds that were answered, how many of them rightly, and how many by the model.
    rounds: Mapped[int] = mapped_column(default=0)
    right: Mapped[int] = mapped_column(default=0)
    model_right: Mapped[int] = mapped_column(default=0)
    points: Mapped[int] = mapped_column(default=0)
    lives: Mapped[int] = mapped_column(default=3)
    #: Right answers one after the other: now, and at most.
    streak: Mapped[int] = mapped_column(default=0)
    best_streak: Mapped[int] = mapped_column(default=0)
    #: JSON of the question with its answer, and of what came of it.
    question: Mapped[str | None] = mapped_column(sa.Text)
    result: Mapped[str | None] = mapped_column(sa.Text)
    #: JSON of what was asked already.
    asked: Mapped[str] = mapped_column(sa.Text, default="[]")
