"""What a retraining left in its report folder, as far as a page can show it."""

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
    """A report folder.

    Attributes:
        name: of the folder, the UTC time it was begun.
        values: ``report.json``; empty where it cannot be read.
        plots: title and PNG file of each picture.
    """

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    plots: tuple[tuple[str, Path], ...] = ()


def read_report(home: Path, folder: str) -> Report | None:
    """The report a job named in its result; None if it is not one of this home's.

    Args:
        home: SMARTBREED_HOME.
        folder: as the trainer said; only its last part counts, so it cannot lead elsewhere.
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
    """Every finished retraining of this home, newest first."""
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
