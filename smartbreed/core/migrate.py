"""Bring a database to the schema this version of the code expects.

The newest revision is taken from the file names (``versions/0007_what.py``), so a
start with nothing to migrate costs one query and never imports alembic.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import exc

from smartbreed.core.database import make_engine, write_connection
from smartbreed.core.errors import StorageError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def head() -> str:
    """Return the newest revision, such as ``"0001"``."""
    return max(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def migrate(url: str) -> None:
    """Create or upgrade the tables; safe to call at every start and in several processes at once.

    All pending revisions are one transaction: a crash leaves the schema as it was.

    Raises:
        SettingError: `url` is invalid.
        StorageError: the database refused, or was made by a newer version of SmartBreed.
    """
    # SQLite alters a table by copying it; with foreign keys on, dropping the old table would cascade.
    engine = make_engine(url, foreign_keys=False)
    try:
        if _is_current_now(engine):
            return
        with write_connection(engine) as connection:
            _upgrade(connection)  # does nothing if another process was faster
    finally:
        engine.dispose()


def alembic_config(connection: sa.Connection | None = None) -> Config:
    """Build Alembic's configuration in code, so that no ``alembic.ini`` has to be shipped and found."""
    from alembic.config import Config  # takes 0.2 s, and most starts do not need it

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _is_current_now(engine: sa.Engine) -> bool:
    try:
        with engine.connect() as connection:
            return _is_current(connection)
    except exc.DBAPIError:  # an empty database; anything worse is raised again under the lock
        return False


def _is_current(connection: sa.Connection) -> bool:
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and str(found) > head():
        raise StorageError(
            f"The database is of a newer SmartBreed (schema {found}, this one knows {head()}); update it."
        )
    return bool(found == head())


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise StorageError(f"The database could not be upgraded: {error}.") from error
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise StorageError("The database could not be upgraded: rows refer to rows that do not exist.")
