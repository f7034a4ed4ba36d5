"""A pytest plugin: each home of a run keeps its rows on a PostgreSQL server instead of in a file.

``-p support.on_postgres`` with the server's address in ``TEST_POSTGRES``. The nursery's processes follow;
others that a test starts read their own settings and stay with SQLite.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from smartbreed.core.migrate import migrate
from smartbreed.core.settings import Settings
from support.postgres import new_database

#: The database that those of homes are copied from, with all tables.
TEMPLATE = "migrated"
SERVER = os.environ.get("TEST_POSTGRES", "")


@lru_cache(None)
def _database(home: Path) -> str:
    """That of a home; the same one for every process."""
    return new_database(SERVER, f"home_{hashlib.sha256(bytes(home)).hexdigest()[:16]}", TEMPLATE)


def move() -> None:
    """From now on this process uses the server, unless its settings name another database."""
    resolved = property(lambda settings: settings.database_url or _database(settings.home_dir))
    Settings.resolved_database_url = resolved  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def on_postgres() -> Iterator[None]:
    before = Settings.resolved_database_url
    migrate(new_database(SERVER, TEMPLATE))
    move()
    yield
    Settings.resolved_database_url = before  # type: ignore[method-assign]
