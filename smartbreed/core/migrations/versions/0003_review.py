"""Decisions on flags, what a model makes of them, known answers, trust in flaggers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(26), nullable=False),
        sa.Column("flag_id", sa.String(26), nullable=False),
        sa.Column("sample_id", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("label", sa.String(80)),
        sa.Column("name", sa.String(80)),
        sa.Column("species", sa.String(8)),
        sa.Column("group", sa.String(80)),
        sa.Column("reviewer", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500)),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "decision IN ('accept', 'relabel', 'reject', 'new_breed', 'undo')", op.f("ck_decisions_decision")
        ),
        sa.CheckConstraint("state IN ('pending', 'published')", op.f("ck_decisions_state")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("flag_id", "decided_at", name=op.f("uq_decisions_flag_id_decided_at")),
    )
    op.create_index(op.f("ix_decisions_sample_id"), "decisions", ["sample_id"])
    op.create_index(op.f("ix_decisions_state_decision_id"), "decisions", ["state", "decision_id"])
    op.create_table(
        "signals",
        sa.Column("flag_id", sa.String(26), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("embedding", sa.LargeBinary()),
        sa.Column("phash", sa.String(16)),
        sa.Column("top", sa.Text()),
        sa.Column("uncertainty", sa.Double()),
        sa.Column("suspicion", sa.Double()),
        sa.Column("novelty", sa.Double()),
        sa.Column("given", sa.Double()),
        sa.Column("support", sa.Double()),
        sa.Column("problem", sa.String(300)),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_signals")),
        sa.ForeignKeyConstraint(
            ["flag_id"], ["flags.id"], name=op.f("fk_signals_flag_id_flags"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_signals_model"), "signals", ["model"])
    op.create_table(
        "gold",
        sa.Column("flag_id", sa.String(26), nullable=False),
        sa.Column("sample_id", sa.String(64), nullable=False),
        sa.Column("label", sa.String(80)),
        sa.Column("reviewer", sa.String(64), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_gold")),
        sa.ForeignKeyConstraint(
            ["flag_id"], ["flags.id"], name=op.f("fk_gold_flag_id_flags"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_gold_sample_id"), "gold", ["sample_id"])
    op.create_table(
        "trust",
        sa.Column("flagger", sa.String(64), nullable=False),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("flagger", name=op.f("pk_trust")),
    )
