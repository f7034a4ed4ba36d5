"""Texts and HTML fragments of the retraining page; the fragments are macros of ``templates/train.html``."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from smartbreed.dataset.needs import LEAST_PICTURES, Need
from smartbreed.i18n import gettext, mark, ngettext
from smartbreed.registry.model_source import newer
from smartbreed.registry.pinning import LATEST
from smartbreed.registry.release_history import Release, Serving
from smartbreed.training_jobs.job import TRIGGERS, Job
from smartbreed.training_jobs.plots_in_words import in_words
from smartbreed.training_jobs.report import read_report
from smartbreed.web.components.chart import Series, line_chart
from smartbreed.web.components.sentences import span
from smartbreed.web.components.templates import Macros

MACROS = Macros("train.html")

#: Outcome of a run → its heading and tone.
_OUTCOMES = {
    "released": (mark("A new version is out"), "good"),
    "passed": (mark("The new model passed"), "good"),
    "refused": (mark("Nothing was published"), "calm"),
    "nothing_new": (mark("Nothing new to learn"), "calm"),
    "too_few": (mark("Too few photos to learn from"), "calm"),
    "failed": (mark("The retraining gave up"), "bad"),
    "lost": (mark("The retraining failed"), "bad"),
    "cancelled": (mark("Stopped"), "calm"),
}
MODE_NAMES = {"head": mark("quick"), "full": mark("full")}


def choices(releases: Sequence[Release], now: Serving) -> list[tuple[str, str]]:
    """Return the versions to choose from as ``(text, revision)``; the first means always the newest."""
    usable = [
        (
            gettext("%(version)s (in use)", version=release.version) if release.served else release.version,
            release.revision,
        )
        for release in releases
        if not release.bad
    ]
    if now.pin and chosen_revision(releases, now) not in {revision for _, revision in usable}:
        usable.append((now.pin, now.pin_revision))
    return [(gettext("Always the newest"), LATEST), *usable]


def chosen_revision(releases: Sequence[Release], now: Serving) -> str:
    """Return the revision among `choices` that a maintainer has chosen."""
    if not now.pin:
        return LATEST
    # The bundled model is listed as it was published, under another revision.
    same = [release.revision for release in releases if release.shipped and release.version == now.pin]
    listed = {release.revision for release in releases if not release.bad}
    return now.pin_revision if now.pin_revision in listed or not same else same[0]


def choice_note(now: Serving) -> str:
    """Explain the effect of the chosen version; empty if the newest answers and none is being loaded."""
    if now.problem:
        return ""
    if now.loading:
        return gettext(
            "Version %(next)s is being loaded; version %(version)s stays in use until then.",
            next=now.loading, version=now.version,
        )  # fmt: skip
    if not now.pin:
        return ""
    return gettext("Version %(version)s stays in use until you choose another.", version=now.version)


def back_text(now: Serving) -> str:
    """Return the label of the button that goes one version back."""
    if not now.before:
        return gettext("No earlier version")
    return gettext("Go back to version %(version)s", version=now.before)


def how(job: Job) -> str:
    """Describe a job, such as "quick, started by hand"."""
    mode, trigger = MODE_NAMES.get(job.spec.mode, ""), TRIGGERS.get(job.spec.trigger, "")
    return f"{gettext(mode)}, {gettext(trigger)}"


def progress(job: Job) -> str:
    """Render a job's stages as a stepper."""
    return str(MACROS.progress(job, how(job)))


def outcome(job: Job, now: Serving) -> str:
    """Render how a finished job ended, with its reasons.

    Args:
        now: what is served; not necessarily the version that the job published.
    """
    heading, tone = _OUTCOMES.get(job.state, (mark("It ended"), "calm"))
    heading = gettext(heading)
    result, published = job.progress.result, ""
    if result is not None and result.published and result.version:
        heading = gettext("Version %(version)s is out", version=result.version)
        published, tone = _published(result.version, now)
    return str(MACROS.outcome(job, heading, tone, published))


def need(now: Need | None) -> str:
    """Render what a retraining mode still needs, and which new breeds are not learnt yet; may be empty."""
    return str(MACROS.need(now, need_text(now) if now else "", LEAST_PICTURES))


def need_text(now: Need) -> str:
    """Say in a sentence or two how many photos a mode needs and has."""
    if now.mode == "full":
        return gettext(
            "A full retraining needs %(wanted)s new photos to evaluate on, a fifth of the accepted ones: "
            "%(have)s so far. About %(more)s more have to be accepted.",
            wanted=now.wanted, have=now.have or gettext("none"), more=now.more,
        )  # fmt: skip
    needs = gettext(
        "A quick retraining needs %(wanted)s newly accepted photos of breeds that the model knows or can "
        "learn.",
        wanted=now.wanted,
    )
    have = ngettext("There is %(have)s", "There are %(have)s", now.have, have=now.have or gettext("none"))
    more = ngettext("%(number)s more is needed.", "%(number)s more are needed.", now.more)
    return f"{needs} {have}; {more}"


def _published(version: str, now: Serving) -> tuple[str, str]:
    """Return a sentence about what became of a published version, and its tone."""
    if version == now.version:
        return gettext("It passed every check, is published, and is in use now."), "good"
    if now.pin and now.pin != version:
        said = mark("It passed every check and is published, but version %(version)s was chosen to be used.")
        return gettext(said, version=now.pin), "calm"
    if now.problem:
        said = mark("It passed every check and is published, but version %(version)s is still in use.")
        return gettext(said, version=now.version), "calm"
    if newer(now.version, version):
        said = mark("It passed every check and is published; the newer version %(version)s is in use now.")
        return gettext(said, version=now.version), "good"
    return gettext(
        "It passed every check and is published; it takes over as soon as it has been loaded."
    ), "good"


_MODES = (
    ("head", mark("Quick: a minute or two"), mark("Quick: %(time)s last time")),
    ("full", mark("Full: hours on a CPU"), mark("Full: %(time)s last time")),
)


def modes(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Return the choices of a retraining mode, with the time that the last run took here."""
    choices = []
    for mode, guess, known in _MODES:
        took = next((job.seconds for job in jobs if job.spec.mode == mode and job.progress.result), None)
        said = gettext(guess) if took is None else gettext(known, time=span(took))
        choices.append((said, mode))
    return choices


def versions(releases: Sequence[Release]) -> str:
    """Render a table of every version, newest first."""
    return str(MACROS.versions(releases))


def accuracy(releases: Sequence[Release]) -> str:
    """Draw the accuracy per version, oldest first; empty until there are two versions to compare."""
    shown = [release for release in reversed(releases) if not release.bad]
    measured = [release.gate is not None or release.flagged is not None for release in shown]
    if len(shown) < 2 or not any(measured):
        return ""
    marked = next((place for place, release in enumerate(shown) if release.served), None)
    series = [
        Series(gettext("All breeds, on the gate’s pictures"), tuple(release.gate for release in shown)),
        Series(
            gettext("Newly accepted photos it had not learnt from: before and after"),
            tuple(release.flagged for release in shown),
            tuple(release.flagged_before for release in shown),
        ),
    ]
    return line_chart(
        [release.version for release in shown],
        series,
        title=gettext("Accuracy of each version"),
        marked=marked,
    )


def history(jobs: Sequence[Job]) -> str:
    """Render earlier retrainings, newest first."""
    return str(MACROS.history([(job, how(job)) for job in jobs]))


#: A check's name in the report → its name on the page.
_CHECKS = {
    "overall": mark("All breeds"),
    "root": mark("Against the last full training"),
    "groups": mark("Each group of breeds"),
    "breeds": mark("Each breed"),
    "calibration": mark("Honest percentages"),
    "flagged": mark("What was flagged"),
}


#: Sentences of a report are cut to this many characters.
_MOST = 1200


def gate(home: Path, job: Job | None) -> str:
    """Render the checks and plots of a finished job, collapsed; empty if it left no report.

    The plots are embedded in the page because files under SMARTBREED_HOME are not served.
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
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            plots.append((title, data, in_words(path.stem, report.values)))
    return str(MACROS.gate(checks, plots))


def _check(values: dict[str, object]) -> tuple[str, str, str, str]:
    """Return a check's name, its result, what it found, and why it could not decide."""
    name = str(values.get("name", ""))[:60]
    passed = values.get("passed") is True
    word = "failed" if not passed else "passed" if values.get("decided", True) is True else "not decided"
    said, unsure = (str(values.get(key) or "")[:_MOST] for key in ("sentence", "undecided"))
    return gettext(_CHECKS.get(name, name)), word, said, unsure
