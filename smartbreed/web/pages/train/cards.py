"""HTML of the retraining page: pure functions of plain values, everything from outside escaped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from smartbreed.dataset.needs import LEAST_PICTURES, Need
from smartbreed.registry.model_source import newer
from smartbreed.registry.pinning import LATEST
from smartbreed.registry.release_summary import Release, Serving, Waiting
from smartbreed.training_jobs.job import TRIGGERS, Job
from smartbreed.training_jobs.progress import Step
from smartbreed.web.components.templates import escaped as escape

#: Outcome of a run → how its heading reads, and its tone.
_OUTCOMES = {
    "released": ("A new version is out", "good"),
    "passed": ("The new model passed", "good"),
    "refused": ("Nothing was published", "calm"),
    "nothing_new": ("Nothing new to learn", "calm"),
    "too_few": ("Too few photos to learn from", "calm"),
    "failed": ("The retraining gave up", "bad"),
    "lost": ("The retraining broke off", "bad"),
    "cancelled": ("Stopped", "calm"),
}
_STATES = {"waiting": "not yet", "active": "now", "done": "done", "stopped": "broke off here"}
MODE_NAMES = {"head": "quick", "full": "full"}


def intro() -> str:
    return (
        '<div class="sb-intro"><h2>Retraining</h2><p>Photos that people corrected and a maintainer accepted '
        "become the next version of the model. It is published only if it passes the comparison with the "
        "present one; until then, and if anything goes wrong, the present one goes on answering.</p></div>"
    )


def serving(now: Serving) -> str:
    """What answers now."""
    chosen = {
        "latest": "the newest release",
        "pinned": "chosen here: newer ones are not taken by themselves",
        "embedded": "the model that came with the program",
        "fixed": "SMARTBREED_MODEL names it and nothing else",
    }.get(now.chosen, now.chosen)
    rows = [
        ("Knows", f"{now.breeds} breeds"),
        ("Why this one", escape(chosen)),
        *([("Since", when(now.since))] if now.since else []),
        ("From", f"{escape(now.repo)} <code>{escape(now.revision[:10])}</code>"),
    ]
    said = [text for text in (now.problem, now.no_releases) if text]
    problem = "".join(f'<p class="sb-problem">{escape(text)}</p>' for text in said)
    return _card("Answering now", f"Version {escape(now.version)}", rows, problem)


def choices(releases: Sequence[Release], now: Serving) -> list[tuple[str, str]]:
    """The versions to choose from, as text and revision; the first stands for the newest."""
    usable = [
        (f"{release.version}{' (answers now)' if release.served else ''}", release.revision)
        for release in releases
        if not release.bad
    ]
    if now.pin and chosen_revision(releases, now) not in {revision for _, revision in usable}:
        usable.append((now.pin, now.pin_revision))
    return [("The newest, now and later", LATEST), *usable]


def chosen_revision(releases: Sequence[Release], now: Serving) -> str:
    """Which of `choices` a maintainer has chosen."""
    if not now.pin:
        return LATEST
    # The model that came with the program is listed as it was published, under another revision.
    same = [release.revision for release in releases if release.shipped and release.version == now.pin]
    listed = {release.revision for release in releases if not release.bad}
    return now.pin_revision if now.pin_revision in listed or not same else same[0]


def choice_note(now: Serving) -> str:
    """What a choice of version does; empty where the newest answers and none is on its way."""
    if now.problem:
        return ""
    if now.loading:
        return f"Version {now.loading} is being loaded; version {now.version} answers until then."
    return f"Version {now.version} answers until you choose another." if now.pin else ""


def back_text(now: Serving) -> str:
    """What the button says that goes one version back."""
    return f"Go back to version {now.before}" if now.before else "No earlier version"


def waiting(now: Waiting, review: bool = True) -> str:
    """What the next version could learn from, and what is still on its way."""
    since = f"since version {escape(now.since)}" if now.since else "so far"
    if now.accepted:
        photos = "photo" if now.accepted == 1 else "photos"
        big, small = f"{now.accepted} accepted {photos}", since
    else:
        big, small = "Nothing new", f"no photo was accepted {since}"
    rows = []
    if now.breeds:
        names = ", ".join(f"{escape(name)} {count}" for name, count in now.breeds[:6])
        more = f" and {len(now.breeds) - 6} more breeds" if len(now.breeds) > 6 else ""
        rows.append(("They show", names + more))
    if now.undecided is not None:
        link = ' · <a href="/review">review them</a>' if now.undecided and review else ""
        rows.append(("To be reviewed", f"{now.undecided or 'none'}{link}"))
    rows.append(("On the way to the dataset", str(now.pending) if now.pending else "none"))
    if now.published_at:
        rows.append(("Last published", when(now.published_at)))
    trouble = ""
    if now.parked:
        trouble += f"{now.parked} {'is' if now.parked == 1 else 'are'} parked until somebody looks. "
    trouble += now.problem
    problem = f'<p class="sb-problem">{escape(trouble.strip())}</p>' if trouble else ""
    if now.details:
        listed = "".join(f"<li>{escape(detail)}</li>" for detail in now.details[:10])
        problem += f"<details><summary>What is in the way, one by one</summary><ul>{listed}</ul></details>"
    return _card("Waiting to be learnt", f"{big} <small>{small}</small>", rows, problem)


def progress(job: Job) -> str:
    """A job's stages as a stepper; the time runs in the browser."""
    steps = "".join(_step(step) for step in job.progress.steps(ended=not job.running))
    head = (
        f'<p class="sb-run-head"><b>{"Retraining" if job.running else "Last retraining"}</b>'
        f"<span>{MODE_NAMES.get(job.order.mode, '')}, {TRIGGERS.get(job.order.trigger, '')}"
        f" {when(job.order.started_at)}</span>{_clock(job)}</p>"
    )
    said = f'<p class="sb-run-said">{escape(job.progress.message)}&nbsp;</p>' if job.running else ""
    listed = f'<ol class="sb-steps">{steps}</ol>'
    if job.state in ("released", "passed"):
        listed = f"<details><summary>Its steps</summary>{listed}</details>"
    return f'<div class="sb-run">{head}{listed}{said}</div>'


def announcement(job: Job | None) -> str:
    """One sentence a stage, for those who listen to the page."""
    if job is None:
        return ""
    if not job.running:
        return f"<span>{escape(job.sentence)}</span>"
    steps = job.progress.steps()
    active = next((n for n, step in enumerate(steps) if step.state == "active"), None)
    if active is None:
        return "<span>The retraining is starting.</span>"
    return f"<span>Step {active + 1} of {len(steps)}: {escape(steps[active].title)}.</span>"


def outcome(job: Job, now: Serving) -> str:
    """How a finished job ended: in words, with its reasons.

    Args:
        now: what answers; a version that was published need not.
    """
    heading, tone = _OUTCOMES.get(job.state, ("It ended", "calm"))
    result = job.progress.result
    parts = [f"<p>{escape(job.sentence)}</p>"]
    if result is not None and result.published and result.version:
        heading = f"Version {escape(result.version)} is out"
        said, tone = _published(result.version, now)
        parts = [f"<p>It passed every check, {said}.</p>"]
    if result is not None and (names := result.learnt_names):
        parts.append(f"<p><b>Learnt:</b> {escape(', '.join(names))}</p>")
    if result is not None and result.reasons and not result.passed:
        title = "Why not"
        items = "".join(f"<li>{escape(reason)}</li>" for reason in result.reasons)
        parts.append(f"<h4>{title}</h4><ul>{items}</ul>")
    words = [*job.progress.stray, *filter(None, [job.last_words])]
    if words and job.state in ("failed", "lost"):
        text = escape("\n".join(words))
        parts.append(f"<details><summary>Its last words</summary><pre>{text}</pre></details>")
    return f'<div class="sb-outcome sb-{tone}"><h3>{heading}</h3>{"".join(parts)}</div>'


def need(now: Need | None) -> str:
    """What a mode of retraining still needs, and which new breeds are not learnt yet; empty: nothing."""
    if now is None:
        return ""
    lines = [] if now.ready else [f"<p><b>{escape(need_text(now))}</b></p>"]
    lines += [
        f"<p>{escape(name)} is not learnt yet: {count} of the {LEAST_PICTURES} photos that a new breed "
        "needs.</p>"
        for name, count in now.new_breeds[:10]
    ]
    if not lines:
        return ""
    if not now.ready:
        link = '<a href="/review">Review page</a>'
        lines.append(f"<p>Accept more on the {link}.</p>")
    return f'<div class="sb-need">{"".join(lines)}</div>'


def need_text(now: Need) -> str:
    """How many photos a mode needs and has, in a sentence or two."""
    if now.mode == "full":
        return (
            f"A full retraining needs {now.wanted} new photos to judge on, and keeps a fifth of the accepted "
            f"ones for that: {now.have or 'none'} so far. About {now.more} more have to be accepted."
        )
    return (
        f"A quick retraining needs {now.wanted} newly accepted photos of breeds that the model knows or can "
        f"learn. There {'is' if now.have == 1 else 'are'} {now.have or 'none'}; {now.more} "
        f"more {'is' if now.more == 1 else 'are'} needed."
    )


def _published(version: str, now: Serving) -> tuple[str, str]:
    """What became of a published version, and its tone."""
    if version == now.version:
        return "is published, and answers now", "good"
    if now.pin and now.pin != version:
        chosen = f"version {escape(now.pin)} was chosen to answer"
        return f"is published, but {chosen}", "calm"
    if now.problem:
        return f"is published, but version {escape(now.version)} still answers", "calm"
    if newer(now.version, version):
        return f"is published, and the newer version {escape(now.version)} answers now", "good"
    return "is published, and answers as soon as it has been loaded", "good"


def modes(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """The choices of how to retrain, with the time the last one took here."""
    choices = []
    for mode, name, guess in (("head", "Quick", "a minute or two"), ("full", "Full", "hours on a CPU")):
        took = next((job.seconds for job in jobs if job.order.mode == mode and job.progress.result), None)
        choices.append((f"{name}: {guess if took is None else f'{span(took)} last time'}", mode))
    return choices


def released(release: Release) -> str:
    """When a version came out."""
    return "with the program" if release.shipped else when(release.released_at)


def when(moment: dt.datetime | None) -> str:
    """A moment; the browser turns it into its own time and words."""
    if moment is None:
        return "unknown"
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M} UTC</time>'


def span(seconds: float) -> str:
    """ "8 s" · "1 min 12 s" · "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _card(name: str, big: str, rows: Sequence[tuple[str, str]], after: str) -> str:
    listed = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows)
    head = f'<h3>{name}</h3><p class="sb-big">{big}</p>'
    return f'<section class="sb-fact">{head}<dl>{listed}</dl>{after}</section>'


def _clock(job: Job) -> str:
    if job.running:
        started = job.order.started_at.timestamp()
        return (
            f'<span class="sb-clock" data-since="{started:.0f}" aria-hidden="true">{span(job.seconds)}</span>'
        )
    return f'<span class="sb-clock">{span(job.seconds)}</span>'


def _step(step: Step) -> str:
    share = 1.0 if step.state == "done" else (step.share or 0.0) if step.state != "waiting" else 0.0
    unknown = " sb-busy" if step.state == "active" and step.share is None else ""
    said = _STATES[step.state]
    if step.state == "active" and step.share is not None:
        said = f"{step.share:.0%}"
    current = ' aria-current="step"' if step.state == "active" else ""
    return (
        f'<li class="sb-step-{step.state}{unknown}"{current}>'
        '<span class="sb-step-dot" aria-hidden="true"></span>'
        f'<span class="sb-step-name">{escape(step.title)}</span><span class="sb-step-said">{said}</span>'
        f'<span class="sb-bar" aria-hidden="true"><i style="width:{share:.1%}"></i></span></li>'
    )
