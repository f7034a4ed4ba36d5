"""The tables on a database that is older, and what it refuses; from blank is what every test does."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from alembic import command

from smartbreed.core.database import make_engine, write_connection
from smartbreed.core.migrate import alembic_config
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import open_feedback
from smartbreed.review import decisions
from smartbreed.review.service import ReviewService

FLAG = """INSERT INTO flags VALUES ('01M7XX5568J4TXZKRJWGDGWWQ5', 'ab', 500, 375, 1.5, 2.0, 300.25, 301.0, 0,
    'birman', 0.7, 'siamese', NULL, 'wrong', 'cat', '0123abc', '2026-11-21 01:57:24.295172', 1, 'ef', NULL,
    'published', '2026-11-21 02:00:00', 'cd')"""


def test_from_the_oldest_schema_with_a_flag(settings: Settings) -> None:
    settings.home_dir.mkdir(parents=True)
    engine = make_engine(settings.resolved_database_url)
    with write_connection(engine) as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.exec_driver_sql(FLAG)
    engine.dispose()
    flags = open_feedback(settings)
    review = ReviewService(flags, settings)
    (item,) = review.queue()
    assert review.decide([item.id], decisions.accept(), "a" * 64).decisions[0].label == "siamese"
    flags.close()


@pytest.mark.parametrize(
    "change", ["decision = 'perhaps'", "state = 'lost'", "reviewer = NULL", "decided_at = NULL"]
)
def test_the_database_itself_refuses_nonsense(
    settings: Settings, review: ReviewService, flag: Any, change: str
) -> None:
    review.decide([flag()], decisions.accept(), "a" * 64)
    with (
        sqlite3.connect(settings.home_dir / "smartbreed.db") as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute(f"UPDATE decisions SET {change}")


def test_erasing_a_flag_takes_what_was_made_of_it_along(
    settings: Settings, review: ReviewService, flag: Any
) -> None:
    made = flag()
    review.decide([made], decisions.accept(), "a" * 64)
    review.set_gold(made, "a" * 64)
    review.flags.erase(made)
    with sqlite3.connect(settings.home_dir / "smartbreed.db") as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("flags", "gold", "signals", "decisions")
        ]
    assert counts == [0, 0, 0, 1], "what was decided stays: it may be published"
