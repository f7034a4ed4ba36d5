"""The order of the review's queue, kept, with its counts. Triggers note what has to be ranked anew.

SQLite drops a table's triggers when a revision copies it (``batch_alter_table``): a revision that copies
``flags``, ``decisions``, ``signals``, ``trust`` or ``review_ranks`` makes them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_RANKS, _UNRANKED = "review_ranks", "review_unranked"
#: First moment of a UTC day and of the next.
_SQLITE_DAY = ("date({})", "date({}, '+1 day')")
_POSTGRESQL_DAY = (
    "(date_trunc('day', {} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')",
    "((date_trunc('day', {} AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC')",
)
_SAID = ("label", "predicted", "verdict", "probability", "flagger", "sample_id", "x0", "y0", "x1", "y1")


def _mark(flags: str) -> str:
    # Not the id alone: a flag that is deleted, with all that refers to it, must not be noted any more.
    return f"INSERT INTO {_UNRANKED} (flag_id) {flags} ON CONFLICT (flag_id) DO NOTHING;"


def _one(flag_id: str) -> str:
    return _mark(f"SELECT id FROM flags WHERE id = {flag_id}")


def _of_person(flagger: str) -> str:
    # When one flag of a person is ranked, so are the others, if the record moves them.
    return _mark(f"SELECT flag_id FROM {_RANKS} WHERE flagger = {flagger} LIMIT 1")


def _of_photo(sample_id: str) -> str:
    return _mark(f"SELECT id FROM flags WHERE sample_id = {sample_id} LIMIT 1")


def _beyond(row: str, day: tuple[str, str]) -> str:
    """A flag that is no longer beyond the day's cap when this one is gone from that day, if there is one."""
    moment = f"{row}.flagged_at"
    return _mark(
        f"SELECT flag_id FROM {_RANKS} WHERE flagger = {row}.flagger AND beyond AND flag_id <> {row}.id "
        f"AND flagged_at >= {day[0].format(moment)} AND flagged_at < {day[1].format(moment)} LIMIT 1"
    )


def _counted(row: str) -> str:
    key = "state, verdict, label, place, seen"
    values = ", ".join(f"{row}.{name}" for name in key.split(", "))
    return (
        f"INSERT INTO review_rank_counts ({key}, number) VALUES ({values}, 1) "
        f"ON CONFLICT ({key}) DO UPDATE SET number = review_rank_counts.number + 1; "
        f"INSERT INTO review_accepted_counts (label, number) SELECT COALESCE({row}.decided, ''), 1 "
        f"WHERE {row}.state IN ('accepted', 'relabelled', 'new breed') "
        "ON CONFLICT (label) DO UPDATE SET number = review_accepted_counts.number + 1;"
    )


def _taken(row: str) -> str:
    names = ("state", "verdict", "label", "place", "seen")
    here = " AND ".join(f"{name} = {row}.{name}" for name in names)
    label = f"label = COALESCE({row}.decided, '')"
    return (
        f"UPDATE review_rank_counts SET number = number - 1 WHERE {here}; "
        f"DELETE FROM review_rank_counts WHERE {here} AND number <= 0; "
        f"UPDATE review_accepted_counts SET number = number - 1 WHERE {label} "
        f"AND {row}.state IN ('accepted', 'relabelled', 'new breed'); "
        f"DELETE FROM review_accepted_counts WHERE {label} AND number <= 0;"
    )


def _triggers(day: tuple[str, str]) -> list[tuple[str, str, str, str]]:
    """Table, event, condition, body."""
    taken_back = "(OLD.state = 'withdrawn') <> (NEW.state = 'withdrawn')"
    return [
        ("flags", "INSERT", "", _one("NEW.id")),
        # What is published stays where it is.
        ("flags", "UPDATE OF state", taken_back, _one("NEW.id")),
        ("flags", f"UPDATE OF {', '.join(_SAID)}", "", _one("NEW.id") + _of_photo("OLD.sample_id")),
        ("flags", "UPDATE OF flagged_at, flagger", "", _one("NEW.id") + _beyond("OLD", day)),
        (
            "flags", "DELETE", "",
            f"DELETE FROM {_UNRANKED} WHERE flag_id = OLD.id; "
            + _of_photo("OLD.sample_id") + _beyond("OLD", day),
        ),
        ("decisions", "INSERT", "", _one("NEW.flag_id")),
        ("decisions", "UPDATE OF flag_id, decision, label, decided_at", "", _one("NEW.flag_id")),
        ("decisions", "DELETE", "", _one("OLD.flag_id")),
        ("signals", "INSERT", "", _one("NEW.flag_id")),
        ("signals", "UPDATE", "", _one("NEW.flag_id")),
        ("signals", "DELETE", "", _one("OLD.flag_id")),
        ("trust", "INSERT", "", _of_person("NEW.flagger")),
        ("trust", "UPDATE", "", _of_person("NEW.flagger")),
        ("trust", "DELETE", "", _of_person("OLD.flagger")),
        (_RANKS, "INSERT", "", _counted("NEW")),
        (_RANKS, "UPDATE", "", f"{_taken('OLD')} {_counted('NEW')}"),
        (_RANKS, "DELETE", "", _taken("OLD")),
    ]  # fmt: skip


def upgrade() -> None:
    # New tables, indexes and triggers alone: the version before goes on beside them, and what it writes
    # is noted like all else.
    op.create_index(op.f("ix_flags_flagger_flagged_at_id"), "flags", ["flagger", "flagged_at", "id"])
    op.create_index(op.f("ix_decisions_decision_decided_at"), "decisions", ["decision", "decided_at"])
    op.create_table(
        _RANKS,
        sa.Column("flag_id", sa.String(26), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("flagger", sa.String(64), nullable=False),
        sa.Column("beyond", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("predicted", sa.String(80)),
        sa.Column("decided", sa.String(80)),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_review_ranks")),
        sa.ForeignKeyConstraint(
            ["flag_id"], ["flags.id"], name=op.f("fk_review_ranks_flag_id_flags"), ondelete="CASCADE"
        ),
    )
    order = ["state", "verdict", "label", "place", "rank", "flagged_at", "flag_id"]
    op.create_index("ix_review_ranks_order", _RANKS, order)
    for columns in (["flagger", "place"], ["flagger", "flagged_at"], ["predicted"], ["decided"]):
        op.create_index(op.f(f"ix_review_ranks_{'_'.join(columns)}"), _RANKS, columns)
    op.create_table(
        _UNRANKED,
        sa.Column("flag_id", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_review_unranked")),
    )
    op.create_table(
        "review_rank_counts",
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "state", "verdict", "label", "place", "seen", name=op.f("pk_review_rank_counts")
        ),
    )
    op.create_table(
        "review_accepted_counts",
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("label", name=op.f("pk_review_accepted_counts")),
    )
    op.create_table(
        "review_rank_rule",
        sa.Column("rule", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_review_rank_rule")),
    )
    # The running app ranks them, some at a time; until then the queue is put in order as a whole.
    op.execute(f"INSERT INTO {_UNRANKED} (flag_id) SELECT id FROM flags WHERE state <> 'withdrawn'")
    postgresql = op.get_bind().dialect.name == "postgresql"
    for number, (table, event, condition, body) in enumerate(
        _triggers(_POSTGRESQL_DAY if postgresql else _SQLITE_DAY)
    ):
        name, when = f"review_ranked_{number}", f"WHEN ({condition}) " if condition else ""
        if postgresql:
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {body} RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {when}EXECUTE FUNCTION {name}()"
            )
        else:
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} {when}BEGIN {body} END")
