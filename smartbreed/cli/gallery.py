"""``smartbreed gallery …``: the photographs that explain answers, and that the quiz asks about."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from smartbreed.cli.common import SOME_FAILED, JsonOption, ModelOption, ends_well, say, settings_with

if TYPE_CHECKING:
    from smartbreed.gallery.build import Progress
    from smartbreed.services import Services

app = typer.Typer(help="The gallery of photographs that answers are compared with.", no_args_is_help=True)


@app.command()
def build(
    source: Annotated[
        str,
        typer.Argument(help="A folder with a folder for each breed, a dataset's folder, or a dataset repo."),
    ],
    config: Annotated[str, typer.Option(help="Configuration of a dataset.")] = "",
    split: Annotated[str, typer.Option(help="Split of a dataset. Default: all.")] = "",
    most: Annotated[int, typer.Option(min=1, help="Use at most this many photos.")] = 1_000_000,
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """Add photographs. Stop it at any time: the same command resumes where it stopped.

    Exit status: 0 if all photographs could be used, 1 if some could not.
    """
    with ends_well(), _opened(model) as services:
        from itertools import islice

        from smartbreed.gallery import build as building
        from smartbreed.gallery.sources import open_source

        opened = open_source(source, config, split, settings=services.settings)
        total = opened.total and min(opened.total, most)
        wanted = replace(
            opened, total=total, start_at=lambda first: islice(opened.start_at(first), most - first)
        )
        terminal = sys.stderr.isatty()

        def progress(report: Progress) -> None:
            begin, end = ("\r\x1b[2K", "") if terminal else ("", "\n")
            print(f"{begin}{report}", end=end, file=sys.stderr, flush=True)

        report = building.build(services.gallery, services.identifier, wanted, progress)
        if terminal:
            print(file=sys.stderr)
        for line in building.shown_problems(report):
            say(line)
        if as_json:
            print(json.dumps({**asdict(report), "rate": round(report.rate, 1)}))
        else:
            print(report)
        if report.bad:
            raise typer.Exit(SOME_FAILED)


@app.command()
def status(as_json: JsonOption = False, model: ModelOption = None) -> None:
    """Show what the gallery contains, and whether the model in use has embedded it."""
    with ends_well(), _opened(model) as services:
        found = services.gallery.status()
        if as_json:
            print(json.dumps(asdict(found)))
            return
        for name, value in asdict(found).items():
            print(f"{name:<12}{value}")
        say(found.sentence)


@app.command()
def refresh(model: ModelOption = None) -> None:
    """Compute the embeddings that the model in use lacks. A running app does this by itself."""
    with ends_well(), _opened(model) as services:
        services.gallery.refresh_all()
        say(services.gallery.status().sentence)


@app.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all photographs of the gallery. Photos that visitors flagged are not touched."""
    with ends_well(), _opened(None) as services:
        if not yes:
            typer.confirm("Delete all photographs of the gallery?", abort=True, err=True)
        print(f"{services.gallery.clear()} photographs deleted")


@contextmanager
def _opened(model: str | None) -> Iterator[Services]:
    from smartbreed.services import Services

    services = Services(settings_with(model=model))
    try:
        yield services
    finally:
        services.stop()
