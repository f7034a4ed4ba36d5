"""Tables and chart of the retraining page: versions, and earlier retrainings."""

from __future__ import annotations

from collections.abc import Sequence

from smartbreed.registry.release_summary import Release
from smartbreed.training_jobs.job import TRIGGERS, Job
from smartbreed.web.components.chart import Series, line_chart
from smartbreed.web.components.templates import escaped as escape
from smartbreed.web.pages.train.cards import MODE_NAMES, released, span, when

_VERSION_COLUMNS = (
    "Version",
    "Released",
    "Gate pictures",
    "Flagged photos",
    "Calibration error",
    "Public test",
    "What is new",
)
_HISTORY_COLUMNS = ("When", "How", "Took", "What became of it")


def versions(releases: Sequence[Release]) -> str:
    """A table of every version, the newest first."""
    if not releases:
        return '<p class="sb-note">No version has been released yet.</p>'
    rows = "".join(_release(release) for release in releases)
    return _table("Versions", _VERSION_COLUMNS, rows) + (
        '<p class="sb-note">Shares named right: of the gate’s pictures, on which each version is compared '
        "with the one before; of newly accepted photos it had not learnt from, before and after; of the "
        "public test photos. Calibration error: how far its percentages are off on average; less is better. "
        "– was not measured.</p>"
    )


def accuracy(releases: Sequence[Release]) -> str:
    """Accuracy per version, oldest first, as a chart; empty until there are two to compare."""
    shown = [release for release in reversed(releases) if not release.bad]
    measured = [release.gate is not None or release.flagged is not None for release in shown]
    if len(shown) < 2 or not any(measured):
        return ""
    marked = next((place for place, release in enumerate(shown) if release.served), None)
    series = [
        Series("All breeds, on the gate’s pictures", tuple(release.gate for release in shown)),
        Series(
            "Newly accepted photos it had not learnt from: before and after",
            tuple(release.flagged for release in shown),
            tuple(release.flagged_before for release in shown),
        ),
    ]
    return line_chart(
        [release.version for release in shown],
        series,
        title="Accuracy of each version",
        marked=marked,
    )


def history(jobs: Sequence[Job]) -> str:
    """Earlier retrainings, the newest first."""
    if not jobs:
        return ""
    rows = ""
    for job in jobs:
        how = f"{MODE_NAMES.get(job.order.mode, '')}, {TRIGGERS.get(job.order.trigger, '')}"
        cells = (when(job.order.started_at), how, span(job.seconds), escape(job.sentence))
        rows += f"<tr>{_cells(_HISTORY_COLUMNS, cells)}</tr>"
    return _table("Earlier retrainings", _HISTORY_COLUMNS, rows)


def _release(release: Release) -> str:
    badge = ' <span class="sb-tag">answers now</span>' if release.served else ""
    if release.bad:
        badge += ' <span class="sb-tag sb-tag-bad">not usable</span>'
    flagged = _percent(release.flagged)
    if release.flagged is not None and release.flagged_before is not None:
        flagged = f"{_percent(release.flagged_before)} → {flagged}"
    figures = (_percent(release.gate), flagged, _percent(release.ece), _percent(release.public))
    new = escape(release.bad) if release.bad else escape(", ".join(release.learnt)) or "–"
    cells = _cells(_VERSION_COLUMNS[1:], (released(release), *figures, new))
    look = " class=sb-bad-release" if release.bad else ""
    return f'<tr{look}><th scope="row">{escape(release.version)}{badge}</th>{cells}</tr>'


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _cells(names: Sequence[str], values: Sequence[str]) -> str:
    # On a phone a row is a card, and each cell says what it is.
    return "".join(
        f'<td data-name="{name}"{" class=sb-none" if value == "–" else ""}><span>{value}</span></td>'
        for name, value in zip(names, values, strict=True)
    )


def _table(name: str, columns: Sequence[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return (
        f'<div class="sb-table" tabindex="0" role="region" aria-label="{name}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
