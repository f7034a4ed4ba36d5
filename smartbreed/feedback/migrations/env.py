"""What Alembic runs for each command; the caller brings the connection and its transaction."""

from __future__ import annotations

from alembic import context

import smartbreed.feedback.tables  # noqa: F401 - puts the room's own tables into the metadata
from smartbreed.feedback.database import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("Use smartbreed.feedback.migrate; alembic has no database of its own here.")
# Batch mode: SQLite cannot alter a constraint in place, so the table is copied.
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
