"""The table of flags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "flags",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("sample_id", sa.String(64), nullable=False),
        sa.Column("photo_width", sa.Integer(), nullable=False),
        sa.Column("photo_height", sa.Integer(), nullable=False),
        sa.Column("x0", sa.Double()),
        sa.Column("y0", sa.Double()),
        sa.Column("x1", sa.Double()),
        sa.Column("y1", sa.Double()),
        sa.Column("pet_index", sa.Integer()),
        sa.Column("predicted", sa.String(80)),
        sa.Column("probability", sa.Double()),
        sa.Column("label", sa.String(80)),
        sa.Column("label_text", sa.String(80)),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("species", sa.String(8)),
        sa.Column("model_revision", sa.String(200), nullable=False),
        sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consent", sa.Boolean(), nullable=False),
        sa.Column("flagger", sa.String(64), nullable=False),
        sa.Column("note", sa.String(500)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Column("dedupe_key", sa.String(64), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('correct', 'wrong', 'not_a_pet', 'missed', 'unsure')", op.f("ck_flags_verdict")
        ),
        sa.CheckConstraint("state IN ('pending', 'published', 'withdrawn')", op.f("ck_flags_state")),
        sa.CheckConstraint("consent", op.f("ck_flags_consent")),
        sa.CheckConstraint("probability >= 0 AND probability <= 1", op.f("ck_flags_probability")),
        sa.CheckConstraint("photo_width > 0 AND photo_height > 0", op.f("ck_flags_photo")),
        sa.CheckConstraint(
            "(x0 IS NULL AND y0 IS NULL AND x1 IS NULL AND y1 IS NULL) OR "
            "(x0 IS NOT NULL AND y0 IS NOT NULL AND x1 IS NOT NULL AND y1 IS NOT NULL AND "
            "x0 >= 0 AND y0 >= 0 AND x1 > x0 AND y1 > y0 AND x1 <= photo_width AND y1 <= photo_height)",
            op.f("ck_flags_box"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flags")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_flags_dedupe_key")),
    )
    op.create_index(op.f("ix_flags_sample_id"), "flags", ["sample_id"])
    op.create_index(op.f("ix_flags_state_flagged_at"), "flags", ["state", "flagged_at"])
