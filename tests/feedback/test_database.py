"""Engine, sessions, transactions, and what the database says when it refuses."""

from __future__ import annotations

import datetime as dt
import importlib
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from smartbreed.core import database
from smartbreed.core.database import (
    Base,
    Sessions,
    make_engine,
    make_sessions,
    read,
    write,
)
from smartbreed.core.errors import SettingError, StorageError
from smartbreed.core.migrate import migrate


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


def test_a_new_file_opened_by_several_at_once(tmp_path: Path) -> None:
    """Switching a new file to WAL fails at once, without waiting, when another does the same."""
    barrier = threading.Barrier(6)

    def connect(number: int) -> None:
        for attempt in range(30):
            engine = make_engine(f"sqlite:///{tmp_path / str(attempt)}.db")
            barrier.wait(10)
            with database.database_errors(), engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
            engine.dispose()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(connect, range(6)))


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


def test_a_database_that_stays_busy_is_an_error(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_no_value_of_a_failed_statement_is_shown_or_logged(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        pytest.raises(StorageError, match="for a reason it has logged") as caught,
        write(sessions) as session,
    ):
        session.execute(sa.text("INSERT INTO flags (note) VALUES (:note)"), {"note": "my secret"})
    assert "secret" not in f"{caught.value} {caught.value.__cause__} {caplog.text}"
    assert "NOT NULL constraint failed" in caplog.text


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
