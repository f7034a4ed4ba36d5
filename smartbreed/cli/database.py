"""``smartbreed database …``: move from the SQLite file of a home to PostgreSQL."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartbreed.cli.common import JsonOption, ends_well, progress_line, say, settings_with

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings

app = typer.Typer(help="The database: move from SQLite to PostgreSQL.", no_args_is_help=True)


@app.command()
def copy(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="The SQLite file. Default: smartbreed.db in SMARTBREED_HOME.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy all rows of the SQLite database into the empty PostgreSQL database of SMARTBREED_DATABASE_URL.

    Stop the app first. Either all rows are copied or none, and the SQLite file is not changed. Photos, the
    Hub and models are files in SMARTBREED_HOME, and stay there; see docs/scale.md.
    """
    with ends_well():
        from smartbreed.core.database_copy import copy_database

        settings = settings_with()
        _warn(settings)
        with progress_line() as show:

            def progress(table: str, done: int, total: int) -> None:
                show(f"{table}: {done} of {total} rows", always=done == total)

            file = source or settings.home_dir / "smartbreed.db"
            copied = copy_database(file, settings.database_url, progress)
        if as_json:
            print(json.dumps(copied))
        else:
            from smartbreed.cli.table import print_table

            print_table(("table", "rows"), [(table, str(rows)) for table, rows in copied.items()])
        say(f"{sum(copied.values())} rows are in PostgreSQL now.")


def _warn(settings: Settings) -> None:
    """Warn if the salt or secret differs from the home's: hashes and signatures in rows would be useless."""
    lost = {
        "salt": (settings.salt, "receipts of flags made before stop working"),
        "secret": (settings.secret, "members are signed out, and links in mails stop working"),
    }
    for name, (value, what) in lost.items():
        with suppress(OSError):
            if value and (settings.home_dir / name).read_bytes() != value.encode():
                say(
                    f"SMARTBREED_{name.upper()} is not the {name} that this home has used: {what}. "
                    "Leave it empty to go on with the home's."
                )
