"""What the model said of each photograph of the gallery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    # Empty until the photograph is looked at anew, which the running app does by itself.
    op.add_column("gallery_photos", sa.Column("said", sa.String(80)))
    op.add_column("gallery_photos", sa.Column("probability", sa.Double()))
    op.add_column("gallery_photos", sa.Column("part", sa.String(16)))
