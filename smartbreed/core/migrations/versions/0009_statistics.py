"""Counts of answers and flags by day. Triggers keep those of flags, so no writer can forget them.

SQLite drops a table's triggers when a revision copies it (``batch_alter_table``): a revision that copies
``flags`` makes them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_KEYS = ("day", "revision", "predicted", "verdict")
_SQLITE_DAY, _POSTGRESQL_DAY = "date({})", "({} AT TIME ZONE 'UTC')::date"


def _added(row: str, day: str) -> str:
    moment = day.format(f"{row}.flagged_at")
    return (
        "INSERT INTO flag_counts (day, revision, predicted, verdict, number) "
        f"SELECT {moment}, {row}.model_revision, COALESCE({row}.predicted, ''), {row}.verdict, 1 "
        f"WHERE {row}.state <> 'withdrawn' "
        "ON CONFLICT (day, revision, predicted, verdict) DO UPDATE SET number = flag_counts.number + 1;"
    )


def _taken(row: str, day: str) -> str:
    here = (
        f"day = {day.format(f'{row}.flagged_at')} AND revision = {row}.model_revision "
        f"AND predicted = COALESCE({row}.predicted, '') AND verdict = {row}.verdict"
    )
    return (
        f"UPDATE flag_counts SET number = number - 1 WHERE {row}.state <> 'withdrawn' AND {here}; "
        f"DELETE FROM flag_counts WHERE {here} AND number <= 0;"
    )


def upgrade() -> None:
    op.create_table(
        "usage_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "version", "kind", "key", name=op.f("pk_usage_counts")),
    )
    op.create_table(
        "usage_writers",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_writers")),
    )
    op.create_index(op.f("ix_usage_writers_written_at"), "usage_writers", ["written_at"])
    op.create_table(
        "flag_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("revision", sa.String(200), nullable=False),
        sa.Column("predicted", sa.String(80), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEYS, name=op.f("pk_flag_counts")),
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    day = _POSTGRESQL_DAY if postgresql else _SQLITE_DAY
    op.execute(
        "INSERT INTO flag_counts (day, revision, predicted, verdict, number) "
        f"SELECT {day.format('flagged_at')}, model_revision, COALESCE(predicted, ''), verdict, count(*) "
        "FROM flags WHERE state <> 'withdrawn' GROUP BY 1, 2, 3, 4"
    )
    bodies = {
        "INSERT": _added("NEW", day),
        "UPDATE OF state, flagged_at, model_revision, predicted, verdict": (
            f"{_taken('OLD', day)} {_added('NEW', day)}"
        ),
        "DELETE": _taken("OLD", day),
    }
    for number, (event, body) in enumerate(bodies.items()):
        name = f"flags_counted_{number}"
        if postgresql:
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {body} RETURN NULL; END $$"
            )
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON flags FOR EACH ROW EXECUTE FUNCTION {name}()")
        else:
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON flags BEGIN {body} END")
