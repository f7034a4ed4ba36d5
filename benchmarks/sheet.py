"""Tables of benchmarks, printed to a terminal or as Markdown for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

#: Content of a cell without a figure.
NONE = "–"


@dataclass
class Sheet:
    """A table of results.

    Attributes:
        title: what was measured, with the units.
        headings: headings of the columns; the first column has the names of the rows.
        rows: rows with as many cells as there are headings.
        notes: sentences below the table, such as how far a goal is reached or what is missing.
        conditions: when and on what machine it was measured, and how much other work was running.
    """

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    conditions: str = ""

    def add(self, *cells: str) -> None:
        """Add a row.

        Raises:
            ValueError: there are more or fewer cells than headings.
        """
        if len(cells) != len(self.headings):
            raise ValueError(f"A row of {self.title} has {len(cells)} cells: {cells}")
        self.rows.append(cells)

    def show(self, console: Console) -> None:
        """Print the table with its notes and conditions."""
        table = Table(title=self.title, title_justify="left")
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)
        for note in (*self.notes, *filter(None, [self.conditions])):
            console.print(note, soft_wrap=True, highlight=False, markup=False)

    def markdown(self) -> str:
        """Return the table as Markdown; its title is a plain line."""
        lines = [self.title, "", _row(self.headings), _row(["---"] + ["--:"] * (len(self.headings) - 1))]
        lines += [_row(row) for row in self.rows]
        for said in (*self.notes, self.conditions):
            lines += ["", said] if said else []
        return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def show(sheets: Iterable[Sheet]) -> None:
    """Print each table as soon as it is ready."""
    console = Console(width=110)
    for sheet in sheets:
        sheet.show(console)
