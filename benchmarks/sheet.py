"""A table of a benchmark: for people at a terminal, and as Markdown for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

#: Stands in a cell that has no figure.
NONE = "–"


@dataclass
class Sheet:
    """One table.

    Attributes:
        title: what was measured, with the units.
        headings: of the columns; the first is that of the rows' names.
        rows: as many cells each as there are headings.
        notes: sentences under the table: how far a goal is reached, what is missing.
        conditions: when, on what and beside how much other work it was measured.
    """

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    conditions: str = ""

    def add(self, *cells: str) -> None:
        """One more row.

        Raises:
            ValueError: there are more or fewer cells than headings.
        """
        if len(cells) != len(self.headings):
            raise ValueError(f"A row of {self.title} has {len(cells)} cells: {cells}")
        self.rows.append(cells)

    def show(self, console: Console) -> None:
        """Print it."""
        table = Table(title=self.title, title_justify="left")
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)
        for note in (*self.notes, *filter(None, [self.conditions])):
            console.print(note, soft_wrap=True, highlight=False, markup=False)

    def markdown(self) -> str:
        """The same as Markdown, without a heading of its own."""
        lines = [self.title, "", _row(self.headings), _row(["---"] + ["--:"] * (len(self.headings) - 1))]
        lines += [_row(row) for row in self.rows]
        for said in (*self.notes, self.conditions):
            lines += ["", said] if said else []
        return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def show(sheets: Iterable[Sheet]) -> None:
    """Print tables as each is there."""
    console = Console(width=110)
    for sheet in sheets:
        sheet.show(console)
