"""Migrations: from blank, from the oldest schema, by several at once."""

from __future__ import annotations

import datetime as dt
import importlib
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from support.nursery import Nursery
from support.processes import run

import smartbreed
from smartbreed.core.database import (
    Base,
    make_engine,
    make_sessions,
    read,
    write_connection,
)
from smartbreed.core.errors import StorageError
from smartbreed.core.migrate import MIGRATIONS, alembic_config, head, migrate
from smartbreed.feedback.tables import Flag

PACKAGE = Path(smartbreed.__file__).parent
for tables in PACKAGE.glob("*/tables.py"):  # every package's, or they look superfluous in the database
    importlib.import_module(f"smartbreed.{tables.parent.name}.tables")
importlib.import_module("smartbreed.accounts.maintainer_sessions")
REVISIONS = sorted(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))

#: What 0001 made on the day it was released, with one flag. Never edit this.
OLDEST = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
INSERT INTO alembic_version VALUES ('0001');
CREATE TABLE flags (
    id VARCHAR(26) NOT NULL, sample_id VARCHAR(64) NOT NULL,
    photo_width INTEGER NOT NULL, photo_height INTEGER NOT NULL, x0 DOUBLE, y0 DOUBLE, x1 DOUBLE, y1 DOUBLE,
    pet_index INTEGER, predicted VARCHAR(80), probability DOUBLE, label VARCHAR(80), label_text VARCHAR(80),
    verdict VARCHAR(16) NOT NULL, species VARCHAR(8), model_revision VARCHAR(200) NOT NULL,
    flagged_at DATETIME NOT NULL, consent BOOLEAN NOT NULL, flagger VARCHAR(64) NOT NULL, note VARCHAR(500),
    state VARCHAR(16) NOT NULL, published_at DATETIME, dedupe_key VARCHAR(64) NOT NULL,
    CONSTRAINT pk_flags PRIMARY KEY (id),
    CONSTRAINT ck_flags_verdict CHECK (verdict IN ('correct', 'wrong', 'not_a_pet', 'missed', 'unsure')),
    CONSTRAINT ck_flags_state CHECK (state IN ('pending', 'published', 'withdrawn')),
    CONSTRAINT ck_flags_consent CHECK (consent),
    CONSTRAINT ck_flags_probability CHECK (probability >= 0 AND probability <= 1),
    CONSTRAINT ck_flags_photo CHECK (photo_width > 0 AND photo_height > 0),
    CONSTRAINT ck_flags_box CHECK ((x0 IS NULL AND y0 IS NULL AND x1 IS NULL AND y1 IS NULL) OR
        (x0 IS NOT NULL AND y0 IS NOT NULL AND x1 IS NOT NULL AND y1 IS NOT NULL AND
        x0 >= 0 AND y0 >= 0 AND x1 > x0 AND y1 > y0 AND x1 <= photo_width AND y1 <= photo_height)),
    CONSTRAINT uq_flags_dedupe_key UNIQUE (dedupe_key)
);
CREATE INDEX ix_flags_sample_id ON flags (sample_id);
CREATE INDEX ix_flags_state_flagged_at ON flags (state, flagged_at);
INSERT INTO flags VALUES ('01M7XX5568J4TXZKRJWGDGWWQ5', 'ab', 500, 375, 1.5, 2.0, 300.25, 301.0, 0, 'birman',
    0.7, 'siamese', NULL, 'wrong', 'cat', '0123abc', '2026-11-21 01:57:24.295172', 1, 'ef', NULL,
    'pending', NULL, 'cd');
"""


class Db:
    """A database file of a test, looked at without the code under test."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def rows(self, sql: str) -> list[Any]:
        with sqlite3.connect(self.file) as connection:
            return connection.execute(sql).fetchall()

    def script(self, sql: str) -> None:
        with sqlite3.connect(self.file) as connection:
            connection.executescript(sql)


@pytest.fixture
def db(tmp_path: Path) -> Db:
    return Db(tmp_path / "it has spaces & 100%.db")


def schema(url: str) -> dict[str, Any]:
    engine = make_engine(url)
    inspector = sa.inspect(engine)
    found = {
        table: {
            kind: sorted(repr(item).replace("\\n", " ") for item in getattr(inspector, f"get_{kind}")(table))
            for kind in ("columns", "indexes", "unique_constraints", "check_constraints", "foreign_keys")
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }
    engine.dispose()
    return found


def differences(url: str) -> list[Any]:
    engine = make_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    return list(found)


def test_from_blank(db: Db, tmp_path: Path) -> None:
    migrate(db.url)
    assert differences(db.url) == []
    # Alembic compares no check constraints; these must agree with the code too.
    made = Db(tmp_path / "made.db")
    engine = make_engine(made.url)
    Base.metadata.create_all(engine)
    engine.dispose()
    assert schema(db.url) == schema(made.url)


def test_from_the_oldest_schema_with_its_flag(db: Db) -> None:
    db.script(OLDEST)
    migrate(db.url)
    assert differences(db.url) == []
    engine = make_engine(db.url)
    with read(make_sessions(engine)) as session:
        flag = session.scalars(sa.select(Flag)).one()
    engine.dispose()
    assert (flag.id, flag.label, flag.state) == ("01M7XX5568J4TXZKRJWGDGWWQ5", "siamese", "pending")
    assert flag.box == (1.5, 2.0, 300.25, 301.0)
    assert flag.flagged_at == dt.datetime(2026, 11, 21, 1, 57, 24, 295172, tzinfo=dt.UTC)


def test_the_oldest_schema_is_what_the_first_revision_makes(db: Db, tmp_path: Path) -> None:
    engine = make_engine(db.url)
    with write_connection(engine) as connection:
        command.upgrade(alembic_config(connection), "0001")
    engine.dispose()
    oldest = Db(tmp_path / "oldest.db")
    oldest.script(OLDEST)

    def words(path: Db) -> list[str]:
        text = path.rows("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        return [re.sub(r"\s", "", sql) for (sql,) in text]

    assert words(db) == words(oldest)


def test_each_revision_is_numbered_as_its_file(db: Db) -> None:
    from alembic.script import ScriptDirectory

    scripts = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    assert [script.revision for script in reversed(scripts)] == [name[:4] for name in REVISIONS]
    assert head() == REVISIONS[-1][:4]


def test_twice_is_a_no_op(db: Db) -> None:
    migrate(db.url)
    before = db.file.read_bytes()
    migrate(db.url)
    assert db.file.read_bytes() == before


def test_a_start_with_nothing_to_do_never_imports_alembic(db: Db) -> None:
    migrate(db.url)
    code = (
        "import sys; from smartbreed.core.migrate import migrate; migrate(sys.argv[1]);"
        "assert not {'alembic', 'pydantic'} & set(sys.modules)"
    )
    run("-c", code, db.url, check=True)


def test_several_processes_start_at_once(nursery: Nursery, tmp_path: Path) -> None:
    for attempt in range(3):
        home, out = tmp_path / f"home{attempt}", tmp_path / f"out{attempt}"
        orders = [{"first": n, "count": 1, "flagger": "f"} for n in range(6)]
        children = [nursery.start("save", home, out=out, **order) for order in orders]
        assert [nursery.wait(pid) for pid in children] == [0] * 6
        db = Db(home / "smartbreed.db")
        assert db.rows("SELECT version_num FROM alembic_version") == [(head(),)]
        assert db.rows("SELECT count(*) FROM flags") == [(6,)]
        assert len({flagger for (flagger,) in db.rows("SELECT flagger FROM flags")}) == 1  # one salt won


def test_a_failed_upgrade_leaves_the_schema_as_it_was(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: object, revision: str) -> None:
        connection = config.attributes["connection"]  # type: ignore[attr-defined]
        connection.execute(sa.text("CREATE TABLE half (id INTEGER)"))
        connection.execute(sa.text("CREATE TABLE half (id INTEGER)"))

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(StorageError):
        migrate(db.url)
    assert db.rows("SELECT name FROM sqlite_master") == []


def test_a_database_of_a_newer_version_is_left_alone(db: Db) -> None:
    migrate(db.url)
    db.script("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer SmartBreed"):
        migrate(db.url)
    assert db.rows("SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.parametrize(
    "change",
    [
        "consent = 0",
        "verdict = 'maybe'",
        "state = 'lost'",
        "probability = 1.5",
        "x0 = NULL",
        "x0 = NULL, y0 = NULL, x1 = NULL",
        "x0 = 300.25",
        "x1 = 501",
        "photo_width = 0",
        "sample_id = NULL",
    ],
)
def test_the_database_itself_refuses_nonsense(db: Db, change: str) -> None:
    db.script(OLDEST)
    migrate(db.url)
    with pytest.raises(sqlite3.IntegrityError):
        db.script(f"UPDATE flags SET {change}")
