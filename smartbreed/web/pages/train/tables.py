"""Tables and chart of the retraining page: versions, and earlier retrainings."""

from __future__ import annotations

from collections.abc import Sequence

from smartbreed.registry.release_summary import Release
from smartbreed.training_jobs.job import Job
from smartbreed.web.components.chart import Series, line_chart
from smartbreed.web.components.templates import Macros
from smartbreed.web.pages.train.cards import how

_MACROS = Macros("train.html")


def versions(releases: Sequence[Release]) -> str:
    """A table of every version, the newest first."""
    return str(_MACROS.versions(releases))


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
    return str(_MACROS.history([(job, how(job)) for job in jobs]))
