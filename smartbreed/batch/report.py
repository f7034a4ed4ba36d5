"""A report about a finished run: counts, plots and pictures on one self-contained page."""

from __future__ import annotations

import base64
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from smartbreed.core.files import disk_errors, replace_durably, write_tmp

#: Maximum number of pictures for each breed, and for pets without a named breed.
_EACH, _UNSURE = 12, 60
#: Maximum number of unusable photos that are listed.
_ERRORS = 500
_BINS = 20
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True,
    undefined=StrictUndefined,
)  # fmt: skip


@dataclass
class Shown:
    """A pet's picture, and the caption under it."""

    source: str
    path: str
    guess: str
    probability: float


@dataclass
class Sheet:
    """The pets of one breed."""

    id: str
    name: str
    species: str
    pets: int = 0
    pictures: list[Shown] = field(default_factory=list)


@dataclass
class Totals:
    """What a run found.

    Attributes:
        of_pets: True if any pet found is a cat or a dog, or if none was found.
    """

    photos: int = 0
    pets: int = 0
    without: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    histogram: list[int] = field(default_factory=lambda: [0] * _BINS)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    unsure: list[Shown] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    errors: list[tuple[str, str, str]] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    _species: set[str] = field(default_factory=set)

    @property
    def of_pets(self) -> bool:
        return not self.pets or self._species != {""}

    @property
    def breeds(self) -> list[Sheet]:
        """Sheets of the breeds, most frequent first."""
        return sorted(self.sheets.values(), key=lambda sheet: (-sheet.pets, sheet.name))

    def add(self, row: dict[str, Any]) -> None:
        """Count one row."""
        self.photos += (row["pet"] or 0) <= 1
        if row["error"]:
            self.codes[row["error"]] += 1
            if len(self.errors) < _ERRORS:
                self.errors.append((row["path"], row["error"], row["message"]))
            return
        self.versions.add(f"{row['model']} {row['version']}")
        if not row["pet"]:
            self.without += 1
            return
        self.pets += 1
        self._species.add(row["species"] or "")
        self.verdicts[row["verdict"]] += 1
        self.histogram[min(int(row["probability_1"] * _BINS), _BINS - 1)] += 1
        if row["verdict"] == "breed":
            sheet = self.sheets.setdefault(
                row["breed_1"], Sheet(row["breed_1"], row["name_1"], row["species"])
            )
            sheet.pets += 1
            _show(sheet.pictures, _EACH, row)
        else:
            _show(self.unsure, _UNSURE, row)


def _show(pictures: list[Shown], most: int, row: dict[str, Any]) -> None:
    if row["thumbnail"] and len(pictures) < most:
        source = f"data:image/jpeg;base64,{base64.b64encode(row['thumbnail']).decode()}"
        pictures.append(Shown(source, row["path"], row["name_1"], row["probability_1"]))


def write_report(file: Path, source: str, rows: Iterable[dict[str, Any]]) -> None:
    """Write the report.

    Args:
        file: where it goes; replaced if it exists.
        source: name of the source.
        rows: of `Parts.rows`, with their thumbnails.

    Raises:
        StorageError: the disk failed.
    """
    totals = Totals()
    for row in rows:
        totals.add(row)
    html = _TEMPLATES.get_template("report.html").render(
        totals=totals, source=source, day=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"), each=_EACH
    )
    with disk_errors("The report cannot be written; the parts are kept, and the same command makes it"):
        replace_durably(write_tmp(file.parent, file.name, html.encode("utf-8")), file)
