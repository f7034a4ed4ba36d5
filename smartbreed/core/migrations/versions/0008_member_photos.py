"""Photos that members keep for themselves, and their consent to that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("members", sa.Column("keeps_photos_at", sa.DateTime(timezone=True)))
    op.create_table(
        "member_photos",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("member_id", sa.String(26), nullable=False),
        sa.Column("sample_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_member_photos_member_id_members"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_photos")),
        sa.UniqueConstraint("member_id", "sample_id", name=op.f("uq_member_photos_member_id_sample_id")),
    )
    op.create_index(op.f("ix_member_photos_member_id"), "member_photos", ["member_id"])
    op.create_index(op.f("ix_member_photos_sample_id"), "member_photos", ["sample_id"])
