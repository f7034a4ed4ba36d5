"""What the gate looked at, from a retraining's report: its checks in words, and plots."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path

from smartbreed.training_jobs.job import Job
from smartbreed.training_jobs.report import read_report
from smartbreed.web.components.templates import escaped as escape

#: A check's name in the report → what people call it.
_CHECKS = {
    "overall": "All breeds",
    "root": "Against the last full training",
    "groups": "Each group of breeds",
    "breeds": "Each breed",
    "calibration": "Honest percentages",
    "flagged": "What was flagged",
}


#: Longer sentences are cut.
_MOST = 1200


def gate(home: Path, job: Job | None) -> str:
    """The checks of a finished job and its pictures, folded away; empty when it left no report.

    The pictures go into the page itself: files under SMARTBREED_HOME have no address of their own.
    """
    result = job.progress.result if job is not None and not job.running else None
    report = read_report(home, result.report) if result is not None and result.report else None
    if report is None:
        return ""
    found = report.values.get("checks")
    checks = "".join(_check(one) for one in found if isinstance(one, dict)) if isinstance(found, list) else ""
    listed = f'<ul class="sb-checks">{checks}</ul>' if checks else ""
    figures = ""
    for title, path in report.plots:
        with suppress(OSError):
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            figures += (
                f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{data}">'
                f"<figcaption>{escape(title)}</figcaption></figure>"
            )
    if figures:
        figures = (
            '<details class="sb-outcome-plots"><summary>The comparison in pictures</summary>'
            f'<div class="sb-plots">{figures}</div></details>'
        )
    return (
        f"<h4 class=sb-gate-head>What the gate looked at</h4>{listed}{figures}" if listed or figures else ""
    )


def _check(values: dict[str, object]) -> str:
    name = str(values.get("name", ""))[:60]
    passed = values.get("passed") is True
    word = "failed" if not passed else "passed" if values.get("decided", True) is True else "not decided"
    kind = {"passed": "yes", "failed": "no"}.get(word, "open")
    mark = f'<span class="sb-check-{kind}">{word}</span>'
    said = escape(str(values.get("sentence", ""))[:_MOST])
    unsure = escape(str(values.get("undecided") or "")[:_MOST])
    unsure = f" <em>Too few pictures to decide: {unsure}</em>" if unsure else ""
    return f"<li><b>{escape(_CHECKS.get(name, name))}</b> {mark} <span>{said}{unsure}</span></li>"
