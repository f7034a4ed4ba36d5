"""Print answers as tables for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from smartbreed.breeds.catalogue import GROUPS
from smartbreed.cli.common import say
from smartbreed.inference.results import Failure, Identification, Pet

#: Most rows of one table. Then a new one begins, so that thousands of rows are never held in memory.
_ROWS = 200
_COLUMNS = ("photo", "pet", "breed", "sure", "or else")


def print_answers(answers: Iterable[Identification | Failure]) -> int:
    """Print answers on stdout, and what could not be read on stderr.

    Returns:
        How many photos could not be read.
    """
    console = _console()
    failed = 0
    rows: list[Sequence[str]] = []
    for answer in answers:
        if isinstance(answer, Failure):
            failed += 1
            say(f"{answer.image or 'standard input'}: {answer.error.message}")
        elif not answer.pets:
            rows.append((answer.image, "", "no cat or dog found", "", ""))
        else:
            rows += [
                (answer.image if n == 1 else "", f"{n} {pet.species}", *_said(pet))
                for n, pet in enumerate(answer.pets, 1)
            ]
        if len(rows) >= _ROWS:
            print_table(_COLUMNS, rows, console)
            rows = []
    if rows:
        print_table(_COLUMNS, rows, console)
    return failed


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], console: Console | None = None
) -> None:
    """Print a plain table on stdout. Cells are text, never markup."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column,
            justify="right" if column == "sure" else "left",
            overflow="fold",
            no_wrap=column in ("flag", "when"),
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    (console or _console()).print(table)


def _console() -> Console:
    # A file or a pipe has no width, and lines wrapped at 80 columns are hard to search.
    return Console() if sys.stdout.isatty() else Console(width=200)


def _said(pet: Pet) -> tuple[str, str, str]:
    """Return what can be said of a pet, how certain that is, and the alternatives."""
    likely = [f"{guess.name} {guess.probability:.0%}" for guess in pet.breeds]
    first = pet.breeds[0]
    if pet.verdict == "breed":
        return first.name, f"{first.probability:.0%}", ", ".join(likely[1:])
    if pet.verdict == "group":
        group = GROUPS.get(pet.group.id)
        said = f"{group.phrase}, {group.unclear}" if group else pet.group.name
        return said, f"{pet.group.probability:.0%}", ", ".join(likely)
    return "unknown", "", ", ".join(likely)
