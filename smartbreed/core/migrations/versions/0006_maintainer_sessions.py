"""Sign-ins of maintainers, so that they end on the server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "maintainer_sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("password_mark", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintainer_sessions")),
    )
    op.create_index(op.f("ix_maintainer_sessions_expires_at"), "maintainer_sessions", ["expires_at"])
