"""What the gate looked at, from a retraining's report: its checks in words, and plots."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path

from smartbreed.training_jobs.job import Job
from smartbreed.training_jobs.report import read_report
from smartbreed.web.components.templates import Macros

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
    checks = [_check(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    plots = []
    for title, path in report.plots:
        with suppress(OSError):
            plots.append((title, base64.b64encode(path.read_bytes()).decode("ascii")))
    return str(Macros("train.html").gate(checks, plots))


def _check(values: dict[str, object]) -> tuple[str, str, str, str]:
    """Its name, how it ended, what it found, and why it could not decide."""
    name = str(values.get("name", ""))[:60]
    passed = values.get("passed") is True
    word = "failed" if not passed else "passed" if values.get("decided", True) is True else "not decided"
    said, unsure = (str(values.get(key) or "")[:_MOST] for key in ("sentence", "undecided"))
    return _CHECKS.get(name, name), word, said, unsure
