"""The gallery: photographs to explain by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "gallery_photos",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("problem", sa.String(300)),
        sa.Column("picture", sa.String(64)),
        sa.Column("label", sa.String(80)),
        sa.Column("pets", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Double()) for name in ("x0", "y0", "x1", "y1")),
        sa.Column("phash", sa.String(16)),
        sa.Column("model", sa.String(200)),
        sa.Column("embedding", sa.LargeBinary()),
        sa.CheckConstraint("state IN ('kept', 'duplicate', 'bad')", name=op.f("ck_gallery_photos_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gallery_photos")),
        sa.UniqueConstraint("origin", name=op.f("uq_gallery_photos_origin")),
    )
    op.create_index(op.f("ix_gallery_photos_model"), "gallery_photos", ["model"])
