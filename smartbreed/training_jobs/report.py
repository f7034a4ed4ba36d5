"""Read the report folder of a retraining: its JSON and the plots that a page can show."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_PLOTS = 8
_MOST_BYTES = 2_000_000


@dataclass(frozen=True)
class Report:
    """The content of a report folder.

    Attributes:
        name: name of the folder, which is the UTC time at which the retraining started.
        values: content of ``report.json``; empty if it cannot be read.
        plots: title and PNG file of each plot.
    """

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    plots: tuple[tuple[str, Path], ...] = ()


def read_report(home: Path, folder: str) -> Report | None:
    """Read the report that a job names in its result; None if this home has no such report.

    Args:
        home: SMARTBREED_HOME.
        folder: path as the trainer reported it; only its last part is used, so it cannot lead elsewhere.
    """
    name = Path(folder).name
    path = home / "retraining" / name
    if not name or name in (".", "..", "jobs") or not path.is_dir():
        return None
    values: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        found = json.loads((path / "report.json").read_bytes())
        values = found if isinstance(found, dict) else {}
    return Report(name, values, tuple(_plots(path)))


def reports(home: Path, limit: int = 50) -> list[Report]:
    """Return the reports of this home's finished retrainings, newest first, at most `limit`."""
    with suppress(OSError):
        names = sorted(
            (path.parent.name for path in (home / "retraining").glob("*/report.json")), reverse=True
        )
        return [report for name in names[:limit] if (report := read_report(home, name)) is not None]
    return []


def _plots(folder: Path) -> list[tuple[str, Path]]:
    plots: list[tuple[str, Path]] = []
    for path in sorted(folder.glob("*.png")):
        with suppress(OSError), path.open("rb") as file:
            if file.read(len(_PNG)) == _PNG and path.stat().st_size <= _MOST_BYTES:
                plots.append((path.stem.replace("_", " ").replace("-", " ").capitalize(), path))
    return plots[:_MOST_PLOTS]
