"""The numbers behind every plot of the statistics, as tables and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from smartbreed.statistics.report import ForMaintainers, Report

Row = Sequence[Any]
Table = tuple[tuple[str, ...], list[Row]]
#: First characters by which a spreadsheet takes a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(table: Table) -> str:
    """Return a table as CSV; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table[0])
    writer.writerows([[_cell(value) for value in row] for row in table[1]])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _breeds(it: Report) -> Table:
    columns = (
        "id",
        "name",
        "species",
        "family",
        "pictures",
        "precision",
        "recall",
        "f1",
        "abstained",
        "f1_before",
    )
    rows = it.measured.breeds if it.measured else []
    return columns, [
        (b.id, b.name, b.species, b.group, b.pictures, b.precision, b.recall, b.f1, b.abstained, b.f1_before)
        for b in rows
    ]


def _confusions(it: Report) -> Table:
    rows = it.measured.confusions if it.measured else []
    return ("breed", "name", "said", "said_name", "pictures", "of"), [
        (one.breed, one.breed_name, one.said, one.said_name, one.pictures, one.of) for one in rows
    ]


def _reliability(it: Report) -> Table:
    rows = it.measured.reliability if it.measured else ()
    return ("from", "to", "pictures", "confidence", "right"), [
        (one.least, one.most, one.pictures, one.confidence, one.right) for one in rows
    ]


def _abstention(it: Report) -> Table:
    rows = it.measured.thresholds if it.measured else []
    return ("threshold", "answered", "right", "chosen"), [
        (one.threshold, one.answered, one.right, int(one.chosen)) for one in rows
    ]


def _robustness(it: Report) -> Table:
    rows = it.measured.robustness if it.measured else []
    return ("trouble", "unit", "strength", "right", "named"), [
        (curve.trouble, curve.unit, point.strength, point.right, point.named)
        for curve in rows
        for point in curve.points
    ]


def _versions(it: Report) -> Table:
    columns = (
        "version", "released", "breeds", "right", "gate", "calibration_error", "serves", "refused", "photos",
        "agreed", "disagreed", "learnt",
    )  # fmt: skip
    return columns, [
        (
            one.version, one.released, one.breeds, one.right, one.gate, one.calibration_error,
            int(one.serves), int(one.refused), one.photos, one.agreed, one.disagreed, "; ".join(one.learnt),
        )
        for one in it.versions
    ]  # fmt: skip


def _days(it: Report) -> Table:
    return ("day", "photos", "pets"), [(one.day, one.photos, one.pets) for one in it.use.days]


def _answers(it: Report) -> Table:
    parts = ("pets", "verdicts", "species", "breeds", "latency")
    return ("what", "key", "name", "number"), [
        (part, one.key, one.name, one.number) for part in parts for one in getattr(it.use, part)
    ]


def _feedback(it: Report) -> Table:
    return ("breed", "name", "right", "wrong"), [
        (one.breed, one.name, one.right, one.wrong) for one in it.feedback.breeds
    ]


def _agreement(it: Report) -> Table:
    return ("breed", "name", "version", "right", "wrong"), [
        (one.breed, one.name, one.version, one.right, one.wrong) for one in it.feedback.versions
    ]


def _growth(it: Report) -> Table:
    return ("day", "flags", "published"), [(one.day, one.flags, one.published) for one in it.growth]


def _drift(it: ForMaintainers) -> Table:
    return ("what", "from", "to", "expected", "found"), [
        (one.what, place / len(one.expected), (place + 1) / len(one.expected), expected, found)
        for one in it.drift
        for place, (expected, found) in enumerate(zip(one.expected, one.found, strict=True))
    ]


def _mix(it: ForMaintainers) -> Table:
    return ("breed", "name", "before", "lately"), [
        (breed, it.names.get(breed, "rarely said breeds"), before, lately)
        for breed, before, lately in zip(it.mix.breeds, it.mix.expected, it.mix.found, strict=True)
    ]


def _operation(it: ForMaintainers) -> Table:
    return ("what", "key", "name", "number"), [
        (part, one.key, one.name, one.number)
        for part in ("interfaces", "failures")
        for one in getattr(it, part)
    ]


#: The tables by name: for everyone, and for maintainers only.
PUBLIC: dict[str, Callable[[Report], Table]] = {
    "breeds": _breeds, "confusions": _confusions, "reliability": _reliability, "abstention": _abstention,
    "robustness": _robustness, "versions": _versions, "days": _days, "answers": _answers,
    "feedback": _feedback, "agreement": _agreement, "growth": _growth,
}  # fmt: skip
MAINTAINERS: dict[str, Callable[[ForMaintainers], Table]] = {
    "drift": _drift, "mix": _mix, "operation": _operation,
}  # fmt: skip
