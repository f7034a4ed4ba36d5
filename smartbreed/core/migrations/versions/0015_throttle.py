"""What was done lately, and wrong passwords in a row, for all replicas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    # New tables alone: a replica of the version before goes on counting in its memory until it ends.
    op.create_table(
        "use_counts",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("counts_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "counts_until", name=op.f("pk_use_counts")),
    )
    op.create_table(
        "wrong_tries",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("slow_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_wrong_tries")),
    )
    for table in ("use_counts", "wrong_tries"):
        op.create_index(op.f(f"ix_{table}_counts_until"), table, ["counts_until"])
