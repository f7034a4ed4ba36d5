"""Sums of the flag counts over all days are read from an index."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    columns = ["revision", "predicted", "verdict", "number"]
    op.create_index(op.f("ix_flag_counts_revision_predicted_verdict_number"), "flag_counts", columns)
