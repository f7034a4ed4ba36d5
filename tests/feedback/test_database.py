"""Engine, transactions and migrations."""

from __future__ import annotations

import datetime as dt
import importlib
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.orm import Mapped, Session, mapped_column

import smartbreed
from smartbreed.errors import SettingError, StorageError
from smartbreed.feedback import database
from smartbreed.feedback.database import (
    Base,
    Sessions,
    make_engine,
    make_sessions,
    read,
    write,
    write_connection,
)
from smartbreed.feedback.migrate import MIGRATIONS, alembic_config, head, migrate
from smartbreed.feedback.tables import Flag

PACKAGE = Path(smartbreed.__file__).parent
for tables in PACKAGE.glob("*/tables.py"):  # every room's, or they look superfluous in the database
    importlib.import_module(f"smartbreed.{tables.parent.name}.tables")
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


@pytest.fixture
def sessions(db: Db) -> Iterator[Sessions]:
    migrate(db.url)
    engine = make_engine(db.url)
    yield make_sessions(engine)
    engine.dispose()


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
        "import sys; from smartbreed.feedback.migrate import migrate; migrate(sys.argv[1]);"
        "assert not {'alembic', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, db.url], check=True, cwd=PACKAGE.parent)


def test_several_processes_start_at_once(nursery: Any, tmp_path: Path) -> None:
    for attempt in range(3):
        home, out = tmp_path / f"home{attempt}", tmp_path / f"out{attempt}"
        orders = [{"first": n, "count": 1, "flagger": "f"} for n in range(6)]
        children = [nursery.start("save", home, out, **order) for order in orders]
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
    ("url", "sentence"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory"),
        ("my secret", "not a database URL"),
        ("nonsense://ann:secret@host/db", "not a database URL"),
        ("postgresql+psycopg2://ann:secret@host/db", "not installed"),
    ],
)
def test_unusable_urls(url: str, sentence: str) -> None:
    if "psycopg2" in url and importlib.util.find_spec("psycopg2"):
        pytest.skip("the driver is installed here")
    with pytest.raises(SettingError, match=sentence) as caught:
        migrate(url)
    assert "SMARTBREED_DATABASE_URL" in caught.value.message
    assert "secret" not in caught.value.message


def test_unusable_files(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        migrate(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")
    (tmp_path / "x.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StorageError, match="damaged"):
        migrate(f"sqlite:///{tmp_path / 'x.db'}")


def test_connections_are_tuned_for_durability(sessions: Sessions) -> None:
    with read(sessions) as session:
        values = {
            name: session.execute(sa.text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15_000}


def test_writers_wait_for_each_other_and_lose_no_update(sessions: Sessions) -> None:
    with write(sessions) as session:
        session.execute(sa.text("CREATE TABLE counter (n INTEGER)"))
        session.execute(sa.text("INSERT INTO counter VALUES (0)"))

    def count() -> None:
        for _ in range(10):
            with write(sessions) as session:
                n = session.execute(sa.text("SELECT n FROM counter")).scalar_one()
                session.execute(sa.text("UPDATE counter SET n = :n"), {"n": n + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read(sessions) as session:
        assert session.execute(sa.text("SELECT n FROM counter")).scalar_one() == 40


def test_a_database_that_stays_busy_is_told(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(db.url)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    engine = make_engine(db.url)
    sessions = make_sessions(engine)
    with write(sessions) as session:
        session.execute(sa.text("DELETE FROM flags"))
        with pytest.raises(StorageError, match="busy"), write(sessions):
            pass
        with read(sessions) as reader:  # readers do not wait
            assert reader.execute(sa.text("SELECT count(*) FROM flags")).scalar_one() == 0
    engine.dispose()


def test_an_exception_rolls_back(sessions: Sessions) -> None:
    def fail(session: Session) -> NoReturn:
        session.execute(sa.text("CREATE TABLE half (id INTEGER)"))
        raise KeyError

    with pytest.raises(KeyError), write(sessions) as session:
        fail(session)
    with pytest.raises(StorageError, match="no tables"), read(sessions) as session:
        session.execute(sa.text("SELECT * FROM half"))


class Moment(Base):
    __tablename__ = "test_moment"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime | None] = mapped_column(database.UtcDateTime)


Base.metadata.remove(Moment.__table__)  # type: ignore[arg-type]


def test_times_keep_their_zone(sessions: Sessions) -> None:
    zone = dt.timezone(dt.timedelta(hours=-5))
    with write(sessions) as session:
        Moment.__table__.create(session.connection())  # type: ignore[attr-defined]
        session.add_all([Moment(at=dt.datetime(2026, 1, 2, 22, tzinfo=zone)), Moment(at=None)])
    with read(sessions) as session:
        first, second = session.scalars(sa.select(Moment.at).order_by(Moment.id))
    assert first == dt.datetime(2026, 1, 3, 3, tzinfo=dt.UTC)
    assert first.tzinfo is dt.UTC
    assert second is None
    with pytest.raises(StorageError), write(sessions) as session:
        session.add(Moment(at=dt.datetime(2026, 1, 2)))


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
