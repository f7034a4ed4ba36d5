"""Database table of quiz games, both running and finished."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime
from smartbreed.feedback.tables import new_id

#: What questions are about; and how a game ends: after five timed rounds, or with the third mistake.
KINDS = ("photos", "facts")
MODES = ("timed", "endless")
#: ``asked``: a question awaits its answer; ``shown``: the result is shown; ``over``: the game has ended.
STAGES = ("asked", "shown", "over")


class QuizGame(Base):
    """A quiz game."""

    __tablename__ = "quiz_games"
    __table_args__ = (
        sa.CheckConstraint(sa.column("kind").in_(KINDS), "kind"),
        sa.CheckConstraint(sa.column("mode").in_(MODES), "mode"),
        sa.CheckConstraint(sa.column("stage").in_(STAGES), "stage"),
        sa.Index(None, "kind", "mode", "ended_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: Keyed hash that identifies the player's browser, 32 hex digits.
    mark: Mapped[str] = mapped_column(sa.String(64), index=True)
    member_id: Mapped[str | None] = mapped_column(
        sa.String(26), sa.ForeignKey("members.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(sa.String(16))
    mode: Mapped[str] = mapped_column(sa.String(16))
    stage: Mapped[str] = mapped_column(sa.String(16), default="asked")
    started_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: Answered rounds, how many of them the player got right, and how many the model got right.
    rounds: Mapped[int] = mapped_column(default=0)
    right: Mapped[int] = mapped_column(default=0)
    model_right: Mapped[int] = mapped_column(default=0)
    points: Mapped[int] = mapped_column(default=0)
    lives: Mapped[int] = mapped_column(default=3)
    #: Right answers in a row: the current run, and the longest one.
    streak: Mapped[int] = mapped_column(default=0)
    best_streak: Mapped[int] = mapped_column(default=0)
    #: JSON of the current question with its answer, and of the round's result; None while it is open.
    question: Mapped[str | None] = mapped_column(sa.Text)
    result: Mapped[str | None] = mapped_column(sa.Text)
    #: JSON list of what was already asked: `Question.photo` of each question.
    asked: Mapped[str] = mapped_column(sa.Text, default="[]")
