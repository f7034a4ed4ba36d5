"""Alembic's environment, run for each command; the caller provides the connection and its transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from smartbreed.core.database import Base, UtcDateTime


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Render `UtcDateTime` in a draft as the plain type beneath it, since a revision imports no code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("Use smartbreed.core.migrate; alembic has no database of its own here.")
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a constraint in place, so the table is copied
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
