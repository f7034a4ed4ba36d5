"""The quiz: games that are played, and those that ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "quiz_games",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("member_id", sa.String(26)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("rounds", "right", "model_right", "points", "lives", "streak", "best_streak")
        ),
        sa.Column("question", sa.Text()),
        sa.Column("result", sa.Text()),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('photos', 'facts')", name=op.f("ck_quiz_games_kind")),
        sa.CheckConstraint("mode IN ('timed', 'endless')", name=op.f("ck_quiz_games_mode")),
        sa.CheckConstraint("stage IN ('asked', 'shown', 'over')", name=op.f("ck_quiz_games_stage")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_quiz_games_member_id_members"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quiz_games")),
    )
    op.create_index(op.f("ix_quiz_games_mark"), "quiz_games", ["mark"])
    op.create_index(op.f("ix_quiz_games_member_id"), "quiz_games", ["member_id"])
    op.create_index(op.f("ix_quiz_games_kind_mode_ended_at"), "quiz_games", ["kind", "mode", "ended_at"])
