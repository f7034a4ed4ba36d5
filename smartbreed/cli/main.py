"""The command line: ``smartbreed …`` and ``python -m smartbreed …``.

Data goes to stdout, messages to stderr. Exit statuses: 0 for success, 1 if something
could not be done, 2 if the command, a setting or the model is invalid.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from smartbreed import __version__
from smartbreed.cli import accounts, breeds, database, flags, gallery, hub, models, review
from smartbreed.cli.ask import ask
from smartbreed.cli.batch import batch
from smartbreed.cli.common import ModelOption
from smartbreed.cli.deploy import deploy
from smartbreed.cli.doctor import doctor
from smartbreed.cli.identify import identify
from smartbreed.cli.offline import offline
from smartbreed.cli.retrain import retrain
from smartbreed.cli.statistics import statistics
from smartbreed.cli.teach import teach
from smartbreed.cli.train import train

app = typer.Typer(
    name="smartbreed",
    help="Every cat and dog in a photograph: found, named, explained, open to correction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(identify)
app.command()(batch)
app.command()(ask)
app.command()(offline)
app.command()(retrain)
app.command()(deploy)
app.command()(doctor)
app.command()(statistics)
app.command()(teach)
app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False
)(train)
app.add_typer(accounts.app, name="accounts")
app.add_typer(breeds.app, name="breeds")
app.add_typer(database.app, name="database")
app.add_typer(flags.app, name="flags")
app.add_typer(gallery.app, name="gallery")
app.add_typer(hub.app, name="hub")
app.add_typer(models.app, name="models")
app.add_typer(review.app, name="review")


@app.command()
def serve(
    model: ModelOption = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on. Default: GRADIO_SERVER_NAME, else this machine only."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: GRADIO_SERVER_PORT, else 7860.")
    ] = None,
) -> None:
    """Start the web app with its Python, MCP and REST interfaces. Stop it with Ctrl-C or SIGTERM."""
    from smartbreed.core import garbage
    from smartbreed.web.server import main as run

    garbage.pause()  # until everything is loaded
    raise typer.Exit(run(model=model, host=host, port=port))


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """Entry point of the ``smartbreed`` script."""
    for stream in (sys.stdout, sys.stderr):
        # Names of photos, breeds and people may hold characters that a console cannot show: print ? instead.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="smartbreed")
