"""Prepares a report for the statistics page: sorting, filtering, and the geometry of its charts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from smartbreed.i18n import mark
from smartbreed.inference.breed_book import BreedBook
from smartbreed.statistics.breed_mix import BreedMix
from smartbreed.statistics.drift import Drift
from smartbreed.statistics.report import BreedFigures, Confusion, Growth, Report, Use

#: Rows in the tables of breeds and of mix-ups, unless all are requested.
SHOWN = 15
_LONGEST = 80
#: Number of breeds drawn, those whose share changed most.
CHANGED = 8
#: Columns of the table of breeds: key, heading, explanation.
COLUMNS = (
    ("name", mark("Breed"), ""),
    ("pictures", mark("Pictures"), mark("Test pictures of the breed")),
    ("recall", mark("Found"), mark("Recall: of its pictures, how many are named right at the first guess")),
    (
        "precision",
        mark("Right when said"),
        mark("Precision: of the pictures it is the first guess for, how many show it"),
    ),
    ("f1", mark("Both"), mark("F1: the harmonic mean of the two")),
    (
        "abstained",
        mark("Left open"),
        mark("Of its pictures, for how many no breed is likely enough to be said"),
    ),
    ("change", mark("Change"), mark("Change of F1 from the version before")),
)
TROUBLES = {
    "blur": mark("Out of focus"),
    "noise": mark("Grainy"),
    "jpeg": mark("Strongly compressed"),
    "darkness": mark("Dark"),
    "rotation": mark("Tilted"),
    "small_box": mark("Pet small in the photo"),
    "gray": mark("Colours taken away"),
    "dark_noise": mark("Dark and grainy"),
    "night_camera": mark("Night camera"),
    "box_jitter": mark("Imprecise crop"),
}
#: Units of the strength of a trouble, as `training.evaluation.robustness` writes them to ``evaluation.json``.
UNITS = (
    mark("Gaussian blur, σ in pixels of 224"),
    mark("Gaussian noise, σ of 255"),
    mark("JPEG quality"),
    mark("brightness, share of the original"),
    mark("rotation, degrees to either side"),
    mark("side of the pet, pixels of 224"),
    mark("colour taken away, share"),
    mark("brightness, with noise of σ 12"),
    mark("brightness before the gain"),
    mark("move of each box side, share of it"),
)


@dataclass(frozen=True)
class Asked:
    """The page's query; invalid values count as not given.

    Attributes:
        sort: column to sort the breeds by.
        down: True to sort in descending order.
        q: search text for breeds.
        everything: True to show all rows.
        of, said: show only mix-ups of a breed of the first family with one of the second; empty for all.
    """

    sort: str = "name"
    down: bool = False
    q: str = ""
    everything: bool = False
    of: str = ""
    said: str = ""

    def link(self, anchor: str, **change: object) -> str:
        """Return a link to the same page with changed values."""
        values = {**self.__dict__, **change}
        kept = {
            "sort": values["sort"] if values["sort"] != "name" else "",
            "order": "down" if values["down"] else "",
            "q": values["q"],
            "all": "1" if values["everything"] else "",
            "of": values["of"],
            "said": values["said"],
        }
        query = urlencode({name: value for name, value in kept.items() if value})
        return f"{'?' + query if query else '?'}#{anchor}"


def asked(query: Mapping[str, str], families: Sequence[str]) -> Asked:
    """Parse a URL's query."""
    sort = query.get("sort", "")
    of, said = (one if (one := query.get(name, "")) in families else "" for name in ("of", "said"))
    return Asked(
        sort if sort in {column[0] for column in COLUMNS} else "name",
        query.get("order") == "down",
        query.get("q", "").strip()[:_LONGEST],
        query.get("all") == "1",
        of if said else "",
        said if of else "",
    )


def change_of(one: BreedFigures) -> float | None:
    return None if one.f1_before is None else one.f1 - one.f1_before


def breeds(report: Report, book: BreedBook, want: Asked) -> list[BreedFigures]:
    """Return the requested breeds in the requested order; breeds without a value come last."""
    found = report.measured.breeds if report.measured else []
    if want.q:
        known = {breed.id for breed in book.search(want.q)}
        found = [one for one in found if one.id in known]
    if want.sort == "name":
        return found[::-1] if want.down else found

    def value(one: BreedFigures) -> float | None:
        return change_of(one) if want.sort == "change" else getattr(one, want.sort)

    some = [one for one in found if value(one) is not None]
    none = [one for one in found if value(one) is None]
    return sorted(some, key=lambda one: value(one) or 0.0, reverse=want.down) + none


@dataclass(frozen=True)
class Matrix:
    """The number of mistakes between families of breeds.

    Attributes:
        families: names of the rows and columns.
        cells: by row and column: pictures of the row's family whose first guess was a wrong breed of the
            column's.
        most: the largest cell.
    """

    families: tuple[str, ...]
    cells: Mapping[tuple[str, str], int]
    most: int


def matrix(report: Report) -> Matrix | None:
    """Count the mix-ups by family; None if there are none, or the breeds have no families."""
    if not report.measured or not report.measured.confusions:
        return None
    family = {one.id: one.group for one in report.measured.breeds}
    cells: dict[tuple[str, str], int] = {}
    for one in report.measured.confusions:
        key = family.get(one.breed, ""), family.get(one.said, "")
        cells[key] = cells.get(key, 0) + one.pictures
    cells = {key: number for key, number in cells.items() if all(key)}
    species = {one.group: one.species for one in report.measured.breeds}
    families = sorted({name for key in cells for name in key}, key=lambda name: (species.get(name, ""), name))
    return Matrix(tuple(families), cells, max(cells.values())) if cells else None


def mixed_up(report: Report, want: Asked) -> list[Confusion]:
    """Return the mix-ups between the two requested families, or all of them."""
    if not report.measured:
        return []
    family = {one.id: one.group for one in report.measured.breeds}
    return [
        one
        for one in report.measured.confusions
        if not want.of or (family.get(one.breed), family.get(one.said)) == (want.of, want.said)
    ]


@dataclass(frozen=True)
class Bars:
    """A bar chart of one or two series.

    Attributes:
        width: width of the chart, in the unit of the bars.
        bars: left edge, width, height in percent of the tallest bar, and series (0 or 1) of each bar.
        most: value of the tallest bar.
    """

    width: int
    bars: tuple[tuple[float, float, float, int], ...]
    most: float


def day_bars(use: Use, today: dt.date) -> Bars | None:
    """Draw the photos per day, up to today and for at least a week; None if no day is listed."""
    if not use.days:
        return None
    photos = {one.day: one.photos for one in use.days}
    first = min(use.days[0].day, today - dt.timedelta(days=6))
    days = [first + dt.timedelta(days=n) for n in range((today - first).days + 1)]
    most = max(photos.values()) or 1
    bars = [(n * 10 + 1.0, 8.0, 100 * photos.get(day, 0) / most, 0) for n, day in enumerate(days)]
    return Bars(10 * len(days), tuple(bars), most)


def drift_bars(drift: Drift) -> Bars | None:
    """Draw two bars per bin, expected and found; None if nothing was compared."""
    if not drift.found or not drift.pets:
        return None
    most = max(*drift.expected, *drift.found) or 1.0
    bars = []
    for place, pair in enumerate(zip(drift.expected, drift.found, strict=True)):
        bars += [
            (place * 20 + 2.0 + 8 * sort, 7.0, 100 * share / most, sort) for sort, share in enumerate(pair)
        ]
    return Bars(20 * len(drift.found), tuple(bars), most)


@dataclass(frozen=True)
class Shift:
    """How a breed's share of all named breeds changed.

    Attributes:
        name: the breed's name; empty for all rarely named breeds together.
        shares: share before and recently, 0…1.
        widths: the same in percent of the longest bar.
    """

    name: str
    shares: tuple[float, float]
    widths: tuple[float, float]


def shifts(mix: BreedMix, names: Mapping[str, str]) -> list[Shift]:
    """Return the breeds whose share changed most, largest change first."""
    rows = list(zip(mix.breeds, mix.expected, mix.found, strict=True))[:CHANGED]
    shares = [(was / max(mix.before, 1), now / max(mix.pets, 1)) for _, was, now in rows]
    most = max((share for pair in shares for share in pair), default=0.0) or 1.0
    return [
        Shift(names.get(breed, ""), pair, (100 * pair[0] / most, 100 * pair[1] / most))
        for (breed, *_), pair in zip(rows, shares, strict=True)
    ]


def growth_lines(growth: Sequence[Growth]) -> list[str]:
    """Return the points of two lines, saved and published flags, in a box of 720 × 160."""
    if not growth:
        return []
    first, last, most = growth[0].day, growth[-1].day, max(growth[-1].flags, growth[-1].published, 1)
    span = max((last - first).days, 1)
    lines = []
    for name in ("flags", "published"):
        points, before = ["0,160"], 160.0
        for one in growth:
            x, y = 720 * (one.day - first).days / span, 160 - 150 * getattr(one, name) / most
            points += [f"{x:.1f},{before:.1f}", f"{x:.1f},{y:.1f}"]
            before = y
        lines.append(" ".join([*points, f"720,{before:.1f}"]))
    return lines
