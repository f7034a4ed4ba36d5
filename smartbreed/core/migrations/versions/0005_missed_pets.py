"""What the model found beside a missed pet, and the box that a reviewer corrected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("flags", sa.Column("found", sa.Text()))
    for name in ("x0", "y0", "x1", "y1"):
        op.add_column("decisions", sa.Column(name, sa.Double()))
