"""The app's one database: engine, transactions, and what all its tables share.

SQLite by default, tuned so that a committed row survives a power cut (WAL with
``synchronous=FULL``); a PostgreSQL URL works too. Packages with tables of
their own derive them from `Base`, open transactions with `read` and `write`, and add a migration
(see `smartbreed.core.migrations`).
"""

from __future__ import annotations

import datetime as dt
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from smartbreed.core.errors import SettingError, StorageError

_REASONS = (
    ("disk is full", "the disk is full; free some space and try again"),
    ("locked", "it is busy; try again in a moment"),
    ("lock timeout", "it is busy; try again in a moment"),
    ("idle-in-transaction", "it is busy; try again in a moment"),
    ("malformed", "its file is damaged; restore it from a backup"),
    ("not a database", "its file is damaged; restore it from a backup"),
    ("readonly", "it is read-only; check the owner of SMARTBREED_HOME"),
    ("unable to open", "its file cannot be opened; check that its folder exists and may be written"),
    ("disk i/o", "the disk reported a fault or has no space left"),
    ("no such table", "it has no tables yet; start the app once to make them"),
)


def reason(text: str) -> str:
    """Return what a person can do about a database error, given its text in lower case."""
    return next((said for sign, said in _REASONS if sign in text), "for a reason it has logged")


def enter_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Switch to write-ahead logging.

    When two processes switch a new file to WAL at the same time, one gets "locked" without the usual wait.

    Args:
        patience_s: seconds to keep trying.

    Raises:
        sqlite3.OperationalError: the file stayed locked for longer, or is unusable.
    """
    give_up = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


log = logging.getLogger(__name__)

#: How long a writer waits for other writers, in milliseconds.
BUSY_TIMEOUT_MS = 15_000
#: How long emptying the write-ahead log waits for readers, in milliseconds.
_CHECKPOINT_MS = 2_000
#: ``user_version`` of a file that contains no remains of deleted rows.
_OVERWRITES = 1
#: Limits on PostgreSQL, in milliseconds: a statement waits for a lock, an open transaction for its client.
_LIMITS = {"lock_timeout": BUSY_TIMEOUT_MS, "idle_in_transaction_session_timeout": 4 * BUSY_TIMEOUT_MS}
#: Key of the advisory lock: any number that no other program uses in the same PostgreSQL database.
_ADVISORY_LOCK = 0x5B_1AB
#: Execution option that makes a transaction take SQLite's write lock when it begins.
_BEGIN = "smartbreed_begin"

Sessions = sessionmaker[Session]


class Base(DeclarativeBase):
    """Base of every table; constraints have predictable names, so migrations can alter them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(sa.TypeDecorator[dt.datetime]):
    """A timezone-aware datetime, stored in UTC. SQLite drops time zones, so reading restores UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A stored time needs a time zone. Received: {value!r}")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def make_engine(url: str, *, foreign_keys: bool = True) -> sa.Engine:
    """Create an engine for a SQLAlchemy URL; nothing is opened yet.

    Args:
        url: ``sqlite:////path/to/file`` or ``postgresql://user@host/name``.
        foreign_keys: whether SQLite enforces foreign keys (only migrations turn this off).

    Raises:
        SettingError: not a URL, a driver that is not installed, or an in-memory
            database, which would lose every flag.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):  # SQLAlchemy would take psycopg2, or fail
            parsed = parsed.set(drivername="postgresql+psycopg")
        file = parsed.database or ":memory:"
        in_memory = ":memory:" in file or parsed.query.get("mode") == "memory"
        if parsed.get_backend_name() == "sqlite" and in_memory:
            raise SettingError(
                f"SMARTBREED_DATABASE_URL: a database in memory would lose every flag. Received: {parsed!s}"
            )
        # Parameters contain what people wrote, which must not be logged when a statement fails.
        remote = parsed.get_backend_name() != "sqlite"
        engine = sa.create_engine(parsed, hide_parameters=True, pool_pre_ping=remote)
    except ModuleNotFoundError as error:
        raise SettingError(
            f"SMARTBREED_DATABASE_URL: the database driver {error.name!r} is not installed."
        ) from error
    except (exc.ArgumentError, ValueError):  # the second: a port that is no number
        # The URL may contain a password, so the message does not repeat it.
        raise SettingError(
            "SMARTBREED_DATABASE_URL: not a database URL like sqlite:////home/me/sb.db."
        ) from None
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, foreign_keys)
    elif engine.dialect.name == "postgresql":
        _tune_postgresql(engine)
    return engine


def make_sessions(engine: sa.Engine) -> Sessions:
    """Create a session factory for `read` and `write`; its objects stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def read(sessions: Sessions) -> Iterator[Session]:
    """Open a session that sees one snapshot of the database and waits for no writer.

    Raises:
        StorageError: the database refused.
    """
    with database_errors(), sessions() as session:
        if session.get_bind().dialect.name == "postgresql":
            # By default each statement would see a snapshot of its own.
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


@contextmanager
def write(sessions: Sessions) -> Iterator[Session]:
    """Open a session that is the only writer, in any process, from its first statement to its commit.

    Waiting at the start makes read-then-write safe: a SQLite transaction that begins with
    a read and then writes fails at once if another writer was faster.
    Commits when the block ends, rolls back when it raises.

    Raises:
        StorageError: the database refused, or stayed busy for `BUSY_TIMEOUT_MS`.
    """
    with database_errors(), sessions() as session:
        take_write_lock(session.connection(execution_options={_BEGIN: "IMMEDIATE"}))
        yield session
        session.commit()


@contextmanager
def write_connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Like `write`, without the ORM, and on PostgreSQL without a limit to how long it waits or takes.

    It is for migrations and copies, which may take longer than `BUSY_TIMEOUT_MS`.
    """
    with database_errors(), engine.connect() as plain:
        connection = plain.execution_options(**{_BEGIN: "IMMEDIATE"})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                for setting in _LIMITS:
                    connection.execute(sa.text(f"SET LOCAL {setting} = 0"))
            take_write_lock(connection)
            yield connection


def forget_deleted(sessions: Sessions) -> bool:
    """Empty SQLite's write-ahead log, which still contains pages from before a deletion.

    Returns:
        False if a reader is in the way or the log cannot be emptied; a later call, at the latest the next
        day's, does it. True for other databases, which clean up by themselves (PostgreSQL: ``VACUUM``).

    Raises:
        StorageError: the database refused.
    """
    with database_errors(), sessions() as session:
        engine = session.get_bind()
        if engine.dialect.name != "sqlite" or not isinstance(engine, sa.Engine):
            return True
        try:
            driver = engine.raw_connection()
            try:
                driver.execute(f"PRAGMA busy_timeout={_CHECKPOINT_MS}")
                busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            except sqlite3.Error:
                driver.invalidate()  # it must not return to the pool with the short wait
                raise
            finally:
                driver.close()
        except sqlite3.Error as error:
            log.warning("the database's log was not emptied: %s", error)
            return False
        return not busy


def forget_earlier_deleted(engine: sa.Engine) -> None:
    """Rewrite a SQLite file once, to remove rows deleted before `secure_delete` was switched on.

    Never raises: if the file cannot be opened, the next caller reports it.
    """
    if engine.dialect.name != "sqlite":
        return
    try:
        driver = engine.raw_connection()
        try:
            if driver.execute("PRAGMA user_version").fetchone()[0] < _OVERWRITES:
                if driver.execute("PRAGMA page_count").fetchone()[0] > 1:  # else it is new
                    driver.execute("VACUUM")
                driver.execute(f"PRAGMA user_version={_OVERWRITES}")
        finally:
            driver.close()
    except sqlite3.Error as error:  # the disk is full, or another process is busy: the next start tries again
        log.warning("what was deleted earlier is still in the database file: %s", error)


def take_write_lock(connection: sa.Connection) -> None:
    """Keep other writers out until the transaction ends (SQLite already did so when it began)."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


@contextmanager
def database_errors() -> Iterator[None]:
    """Translate errors of SQLAlchemy and its drivers inside the block.

    Raises:
        StorageError: with a sentence that contains no SQL and no values.
    """
    try:
        yield
    except exc.SQLAlchemyError as error:
        text = str(error.orig if isinstance(error, exc.DBAPIError) else error)
        log.error("%s: %s", type(error).__name__, text.partition("\n")[0])  # further lines contain values
        raise StorageError(f"The database refused: {reason(text.lower())}.") from error


def _tune_sqlite(engine: sa.Engine, foreign_keys: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, record: Any) -> None:
        # Autocommit: the driver would begin no transaction before SELECT or DDL, so `on_begin` begins all.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        enter_wal(connection, BUSY_TIMEOUT_MS / 1000)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")  # overwrite what is deleted, not only unlink it
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "reset")
    def on_reset(connection: sqlite3.Connection, record: Any, state: Any) -> None:
        # A COMMIT refused because the disk is full or busy leaves the transaction open, but SQLAlchemy
        # (2.1.9) considers it closed. Pooled in that state, the connection would lock out every writer.
        if connection.in_transaction:
            connection.rollback()

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'DEFERRED')}")


def _tune_postgresql(engine: sa.Engine) -> None:
    # Runs before SQLAlchemy's own listener, which fails on the bytes that psycopg returns for SQL_ASCII text.
    @event.listens_for(engine, "connect", insert=True)
    def on_connect(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_encoding")
            if cursor.fetchone()[0] in ("SQL_ASCII", b"SQL_ASCII"):
                raise SettingError(
                    "SMARTBREED_DATABASE_URL: the encoding of this database is SQL_ASCII; make it anew with "
                    "createdb --encoding UTF8 --template template0."
                )
            # Days are UTC days, whatever the server's time zone.
            cursor.execute("SET TIME ZONE 'UTC'")
            # Without these, a replica that lost its network while it wrote would stop all others.
            for setting, milliseconds in _LIMITS.items():
                cursor.execute(f"SET {setting} = {milliseconds}")
        connection.commit()

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def without_nul(
        connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        # PostgreSQL stores no NUL in text. With U+FFFD instead, an id matches nothing, and a text is kept.
        return statement, _storable(parameters)


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {name: _storable(one) for name, one in value.items()}
    return [_storable(one) for one in value] if isinstance(value, list) else value


#: Ids per query; SQLite allows 32,766 variables.
_IDS = 500


def batches(values: Iterable[str]) -> Iterator[list[str]]:
    """Yield the distinct values, sorted, in lists small enough for one query."""
    different = sorted(set(values))
    for start in range(0, len(different), _IDS):
        yield different[start : start + _IDS]
