"""Decisions about erased flags lose the name of the photo, as later erasures do it at once."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("UPDATE decisions SET sample_id = '' WHERE flag_id NOT IN (SELECT id FROM flags)")


def downgrade() -> None:
    """The names are gone."""
