"""Print all tables of docs/performance.md: ``python -m benchmarks``, or ``make bench``."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.photographs import DATA
from benchmarks.sides import SideFailed, say

#: Modules whose ``measure`` yields tables, in the order in which they are printed.
TABLES = ("identify", "networks", "batch", "start", "round_trip", "load", "growth")


def options(module: Any, data: str, quick: bool) -> dict[str, Any]:
    """Return the arguments for a module's ``measure``."""
    given = dict(module.QUICK) if quick else {}
    if "data" in inspect.signature(module.measure).parameters:
        given["data"] = data
    return given


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with the scenes test split.")] = DATA,
    quick: Annotated[
        bool, typer.Option("--quick", help="So few turns that the figures say nothing: a smoke test.")
    ] = False,
    only: Annotated[str, typer.Option(help=f"Some of {', '.join(TABLES)}, with commas between.")] = "",
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables to this file.")] = None,
) -> None:
    """Print every table with the conditions of its measurement."""
    names = [name for name in only.split(",") if name] or list(TABLES)
    if unknown := sorted(set(names) - set(TABLES)):
        raise typer.BadParameter(f"There is no table {', '.join(unknown)}.")
    console, failed = Console(width=130), []
    if markdown is not None:
        markdown.write_text("")
    for name in names:
        module = import_module(f"benchmarks.{name}")
        try:
            for sheet in module.measure(**options(module, data, quick)):
                sheet.show(console)
                if markdown is not None:
                    with markdown.open("a") as file:
                        file.write(f"`python -m benchmarks.{name}`: {sheet.markdown()}\n")
        except (SideFailed, RuntimeError) as error:
            failed.append(name)
            say(f"{name} failed: {error}")
    if failed:
        say(f"Without a table: {', '.join(failed)}.")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
