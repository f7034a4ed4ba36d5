"""Copy all rows of a home's SQLite database into an empty PostgreSQL database, in one transaction.

The tables are reflected from the SQLite file, so a new table needs no change here. Triggers are disabled
meanwhile: the counts that they maintain are rows as well, and are copied like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc, pool

from smartbreed.core.database import Base, UtcDateTime, database_errors, make_engine, write_connection
from smartbreed.core.errors import SettingError, StorageError
from smartbreed.core.migrate import head, migrate

#: Rows held in memory at once; embeddings make a row some kilobytes large.
_BATCH = 1_000
#: How long to wait for a command that is about to end and still has the file open, in milliseconds.
_PATIENCE_MS = 1_000
_REVISION = "alembic_version"

#: Called with a table's name, the number of its rows copied so far, and their total.
Progress = Callable[[str, int, int], None]


def copy_database(
    source: Path, url: str, progress: Progress = lambda table, done, total: None
) -> dict[str, int]:
    """Copy every table, referenced tables first; the SQLite file is not changed.

    The copy is all or nothing: if it is interrupted, the target stays without rows. Meanwhile apps cannot
    open the file, and apps on the target database wait with their writes.

    Args:
        source: the SQLite file, with the schema that this version expects.
        url: of a PostgreSQL database without rows; missing tables are created.

    Returns:
        Number of rows of each table, in the order in which they were copied.

    Raises:
        SettingError: `url` is empty or names no PostgreSQL database, or its driver is not installed.
        StorageError: the file is missing, in use or of another schema; or the target cannot be reached,
            has rows or refuses a row. The message says which.
    """
    target = _target(url)
    try:
        with _opened(source) as old:
            tables = _tables(old)
            _check_reachable(target)
            with target.connect() as looking, database_errors():
                _check_empty(looking)  # also before `migrate` creates tables in it
            migrate(url)
            with write_connection(target) as new:
                _check_empty(new)
                copied = {table.name: _copy(table, old, new, progress) for table in tables}
                new.exec_driver_sql("ANALYZE")
                return copied
    finally:
        target.dispose()


def _target(url: str) -> sa.Engine:
    # The URL may contain a password, so no message repeats it.
    if not url:
        raise SettingError("SMARTBREED_DATABASE_URL: it is empty; name the PostgreSQL database to copy into.")
    engine = make_engine(url)
    if engine.dialect.name != "postgresql":
        raise SettingError(
            f"SMARTBREED_DATABASE_URL: rows are copied into PostgreSQL. Received: {engine.dialect.name}"
        )
    return engine


@contextmanager
def _opened(file: Path) -> Iterator[sa.Connection]:
    """Open the SQLite file exclusively. An app with an open connection, even an idle one, makes this fail."""
    if not file.is_file():
        raise StorageError(f"There is no SQLite database to copy at {file}.")
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(file)), hide_parameters=True, poolclass=pool.StaticPool
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
        # Set before the first read, this claims the whole file, not only the write lock.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")

    try:
        with database_errors(), engine.connect() as connection:
            try:
                connection.begin()
            except exc.OperationalError as error:
                if "locked" not in str(error.orig):
                    raise
                raise StorageError(
                    f"An app or a command has {file.name} open; stop it, and copy again."
                ) from None
            _check_schema(connection)
            yield connection
    finally:
        engine.dispose()


def _check_schema(connection: sa.Connection) -> None:
    found = None
    if sa.inspect(connection).has_table(_REVISION):
        found = connection.scalar(sa.text(f"SELECT version_num FROM {_REVISION}"))
    if found is None:
        raise StorageError("The SQLite database has no tables of SmartBreed; there is nothing to copy.")
    if found != head():
        do = (
            "use that version to copy"
            if str(found) > head()
            else "start this version once without SMARTBREED_DATABASE_URL to bring it up to date, then copy"
        )
        raise StorageError(f"The SQLite database has schema {found}, this version has {head()}; {do}.")
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if lost is not None:
        raise StorageError(
            f"The SQLite database is damaged: {lost[0]} refers to rows of {lost[2]} that do not exist."
        )


def _tables(connection: sa.Connection) -> Sequence[sa.Table]:
    """Reflect the tables with types that both databases know, each after the tables it refers to."""
    metadata = sa.MetaData(naming_convention=Base.metadata.naming_convention)

    @event.listens_for(metadata, "column_reflect")
    def on_column(inspector: Any, table: sa.Table, column: Any) -> None:
        generic = column["type"].as_generic()
        column["type"] = UtcDateTime() if isinstance(generic, sa.DateTime) else generic

    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != _REVISION]


def _check_reachable(engine: sa.Engine) -> None:
    try:
        engine.connect().close()
    except exc.OperationalError as error:  # the first line names host and user, never the password
        why = str(error.orig).partition("\n")[0]
        raise StorageError(f"The database of SMARTBREED_DATABASE_URL cannot be reached: {why}") from None


def _check_empty(connection: sa.Connection) -> None:
    """Refuse a database with rows, even those of other programs: it must be SmartBreed's own."""
    names = [name for name in sa.inspect(connection).get_table_names() if name != _REVISION]
    counts = sorted(((_count(connection, sa.table(name)), name) for name in names), reverse=True)
    found = [f"{name} ({count})" for count, name in counts if count]
    if found:
        more = f" and {len(found) - 5} more tables" if len(found) > 5 else ""
        raise StorageError(
            "The database of SMARTBREED_DATABASE_URL is not empty; nothing was copied. These tables have "
            f"rows: {', '.join(found[:5])}{more}. Make a new database, and start no app on it before."
        )


def _count(connection: sa.Connection, table: sa.TableClause) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def _copy(table: sa.Table, old: sa.Connection, new: sa.Connection, progress: Progress) -> int:
    name = new.dialect.identifier_preparer.format_table(table)
    total, done = _count(old, table), 0
    new.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER USER")
    rows = old.execution_options(yield_per=_BATCH).execute(sa.select(table)).mappings()
    for part in rows.partitions():
        batch = [dict(row) for row in part]
        try:
            new.execute(table.insert(), batch)
        except (exc.DataError, exc.IntegrityError) as error:
            raise StorageError(f"{_why(table, batch, error)} Nothing was copied.") from None
        done += len(batch)
        progress(table.name, done, total)
    new.exec_driver_sql(f"ALTER TABLE {name} ENABLE TRIGGER USER")
    if _count(new, table) != total:
        raise StorageError(f"Not all rows of {table.name} arrived; nothing was copied.")
    _go_on_counting(table, name, new)
    return total


def _why(table: sa.Table, batch: Sequence[dict[str, Any]], error: exc.DBAPIError) -> str:
    """Describe the fault of a row without its values: SQLite checks neither text lengths nor number sizes."""
    for column in table.columns:
        longest = getattr(column.type, "length", None)
        if longest and any(isinstance(it := row[column.name], str) and len(it) > longest for row in batch):
            return f"In the table {table.name}, a text in {column.name} is longer than {longest} characters."
    rule = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return f"PostgreSQL refuses a row of {table.name}: {rule or 'a value does not fit its column'}."


def _go_on_counting(table: sa.Table, name: str, connection: sa.Connection) -> None:
    """Make the sequences of PostgreSQL continue after the highest copied number."""
    for column in table.columns:
        if not isinstance(column.type, sa.Integer):
            continue
        sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(name, column.name)))
        highest = connection.scalar(sa.select(sa.func.max(column))) if sequence else None
        if highest is not None:
            connection.execute(sa.select(sa.func.setval(sequence, highest)))
