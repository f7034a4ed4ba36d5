"""Shards, whose rows they are, and where publishing stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "shards",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("config", sa.String(16), nullable=False),
        sa.Column("target", sa.String(400), nullable=False),
        sa.Column("disk", sa.String(32), nullable=False),
        sa.Column("path", sa.String(120), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Column("commit", sa.String(64)),
        sa.Column("problem", sa.String(1000)),
        sa.CheckConstraint("state IN ('sealed', 'published', 'parked')", op.f("ck_shards_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shards")),
        sa.UniqueConstraint("path", name=op.f("uq_shards_path")),
    )
    op.create_index(op.f("ix_shards_state_target"), "shards", ["state", "target"])
    op.create_table(
        "shard_rows",
        sa.Column("config", sa.String(16), nullable=False),
        sa.Column("row_id", sa.String(64), nullable=False),
        sa.Column("shard_id", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("config", "row_id", name=op.f("pk_shard_rows")),
        sa.ForeignKeyConstraint(["shard_id"], ["shards.id"], name=op.f("fk_shard_rows_shard_id_shards")),
    )
    op.create_index(op.f("ix_shard_rows_shard_id"), "shard_rows", ["shard_id"])
    op.create_table(
        "parked_rows",
        sa.Column("config", sa.String(16), nullable=False),
        sa.Column("row_id", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("config", "row_id", name=op.f("pk_parked_rows")),
    )
    op.create_table(
        "erasures",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("target", sa.String(400), nullable=False),
        sa.Column("path", sa.String(120), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("sha256", "target", name=op.f("pk_erasures")),
    )
    op.create_table(
        "publishing",
        sa.Column("disk", sa.String(32), nullable=False),
        sa.Column("target", sa.String(400)),
        sa.Column("repo_created", sa.String(64)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True)),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.String(1000)),
        sa.Column("problem_at", sa.DateTime(timezone=True)),
        sa.Column("success_at", sa.DateTime(timezone=True)),
        sa.Column("card_stale", sa.Boolean(), nullable=False),
        sa.Column("foreign", sa.Text()),
        sa.PrimaryKeyConstraint("disk", name=op.f("pk_publishing")),
    )
