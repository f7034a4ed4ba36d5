"""HTML of the tour: the circle with this installation's own numbers, and what to do where there are none."""

from __future__ import annotations

from collections.abc import Sequence

from smartbreed.registry.release_summary import Release, Serving, Waiting
from smartbreed.web.components.html import when
from smartbreed.web.components.templates import escaped as escape
from smartbreed.web.pages.train.cards import released
from smartbreed.web.pages.train.tables import accuracy

#: Line drawings on 48 × 48.
_ICONS = {
    "flag": '<path d="M14 42V8M14 10h20l-5 8 5 8H14"/>',
    "publish": (
        '<ellipse cx="24" cy="12" rx="14" ry="5"/>'
        '<path d="M10 12v24c0 3 6 5 14 5s14-2 14-5V12M10 24c0 3 6 5 14 5s14-2 14-5"/>'
    ),
    "review": '<circle cx="21" cy="21" r="12"/><path d="M30 30l10 10M15.500 21.500l4 4 7-8"/>',
    "learn": (
        '<path d="M24 8v6M24 34v6M8 24h6M34 24h6M13 13l4 4M31 31l4 4M35 13l-4 4M17 31l-4 4"/>'
        '<circle cx="24" cy="24" r="7"/>'
    ),
    "serve": '<rect x="7" y="9" width="34" height="26" rx="4"/><path d="M18 41h12M24 35v6M16 23l5 5 11-11"/>',
}


def intro() -> str:
    return (
        '<div class="sb-intro"><h2>How it learns</h2><p>Every correction can make the next answer better. '
        "This is the way it takes, with the numbers of this installation as they are now.</p></div>"
    )


def circle(
    serving: Serving,
    waiting: Waiting,
    releases: Sequence[Release],
    dataset: str,
    *,
    maintainers: bool = False,
) -> str:
    """The five stations of a correction, each with its number and, where there is none, what to do.

    Args:
        dataset: repo that corrections are published in.
        maintainers: whether the maintainers' pages can be reached, so that links to them lead somewhere.
    """
    last = next((release for release in releases if release.learnt and not release.bad), None)
    stations = (
        _station("flag", "Somebody says what it really is", *_flagged(waiting)),
        _station("publish", "The photo joins a dataset", *_published(waiting, dataset)),
        _station("review", "A maintainer checks it", *_reviewed(waiting, maintainers)),
        _station("learn", "The model learns, and is examined", *_learnt(waiting, last, maintainers)),
        _station(
            "serve",
            "The new version answers",
            f"Version {escape(serving.version)}",
            f"answers here{f' since {when(serving.since)}' if serving.since else ''}. "
            f"It knows {serving.breeds} breeds.",
        ),
    )
    items = "".join(f'<li style="--place:{place}">{station}</li>' for place, station in enumerate(stations))
    ring = (
        '<svg class="sb-ring" viewBox="0 0 1000 600" preserveAspectRatio="none" aria-hidden="true">'
        '<ellipse cx="500" cy="300" rx="350" ry="215"/></svg>'
        + "".join(
            f'<span class="sb-way sb-way-{number}" aria-hidden="true">›</span>' for number in range(1, 6)
        )
    )
    middle = (
        f'<p class="sb-circle-middle"><b>{_rounds(releases)}</b>'
        "<span>The same photo, asked again, gets the better answer.</span></p>"
    )
    return f'<div class="sb-circle">{ring}<ol>{items}</ol>{middle}</div>'


def growth(releases: Sequence[Release]) -> str:
    """Accuracy per version, and what each one learnt."""
    chart = accuracy(releases)
    good = [release for release in releases if not release.bad]
    if len(good) < 2:
        return (
            '<section class="sb-growth"><h3>Accuracy per version</h3><p class="sb-note">So far there is one '
            "version; the line begins with the second. It comes from a retraining, once corrected photos "
            "have been accepted.</p></section>"
        )
    learnt = "".join(
        f"<li><b>{escape(release.version)}</b> <span>{released(release)}</span> "
        f"{escape(', '.join(release.learnt)) or ('the first version' if release == good[-1] else '–')}</li>"
        for release in good
    )
    return (
        f'<section class="sb-growth"><h3>Accuracy per version</h3>{chart}</section>'
        '<section class="sb-growth"><h3>What each version learnt</h3>'
        f'<ul class="sb-learnt">{learnt}</ul></section>'
    )


def take_part(dataset: str, model_repo: str, public_hub: str) -> str:
    """Where to go from here.

    Args:
        public_hub: address of the Hub where visitors can see both repos; empty for the embedded one.
    """
    data, model = escape(dataset), escape(model_repo)
    if public_hub:
        hub = escape(public_hub)
        repos = (
            f'<li><a href="{hub}/datasets/{data}">The dataset {data}</a></li>'
            f'<li><a href="{hub}/{model}">The model {model}</a></li>'
        )
    else:
        repos = (
            f"<li>The dataset <code>{data}</code> and the model <code>{model}</code> lie on the Hub inside "
            "this program; <code>smartbreed hub serve</code> opens it to other tools.</li>"
        )
    return (
        '<section class="sb-growth"><h3>Take part</h3><ul class="sb-learnt">'
        '<li><a href="/">Add a photo</a>, and say under the answer whether it is right.</li>'
        f"{repos}</ul></section>"
    )


def _station(icon: str, title: str, big: str, text: str) -> str:
    drawn = f'<svg viewBox="0 0 48 48" aria-hidden="true">{_ICONS[icon]}</svg>'
    said = f'<h3>{title}</h3><p class="sb-big">{big}</p><p class="sb-note">{text}</p>'
    return f'<div class="sb-station">{drawn}{said}</div>'


def _flagged(now: Waiting) -> tuple[str, str]:
    if not now.flags:
        return (
            "No flags yet",
            'To begin, <a href="/">add a photo</a> and press “That’s right” or “Wrong breed”.',
        )
    return _count(now.flags, "flag"), "saved here first, so that none is ever lost."


def _published(now: Waiting, dataset: str) -> tuple[str, str]:
    if not now.flags:
        return "Nothing to publish", "A flag is published some minutes after it was made."
    waits = f" {now.pending} more on the way." if now.pending else ""
    return f"{now.published} published", f"in the dataset <code>{escape(dataset)}</code>.{waits}"


def _reviewed(now: Waiting, maintainers: bool) -> tuple[str, str]:
    if not now.flags:
        return "Nothing to review", "Nothing is learnt from that a person has not looked at."
    if not now.reviewed:
        page = _link("/review", "Review page", maintainers)
        return "None reviewed yet", f"A maintainer accepts, corrects or rejects each flag on the {page}."
    left = ""
    if now.undecided:
        wait = f"{now.undecided} {'waits' if now.undecided == 1 else 'wait'} for a decision"
        left = f" {_link('/review', wait, maintainers)}."
    return f"{now.reviewed} reviewed", f"Nothing is learnt from that a person has not looked at.{left}"


def _learnt(now: Waiting, last: Release | None, maintainers: bool) -> tuple[str, str]:
    waits = ""
    if now.accepted:
        verb = "waits" if now.accepted == 1 else "wait"
        waits = f" {_count(now.accepted, 'accepted photo')} {verb} for the next version."
    if last is None:
        page = _link("/train", "Retrain page", maintainers)
        return (
            "Not yet",
            f"A maintainer starts it on the {page}.{waits or ' It needs accepted photos first.'}",
        )
    return f"Version {escape(last.version)}", f"learnt {escape(', '.join(last.learnt[:3]))}.{waits}"


def _rounds(releases: Sequence[Release]) -> str:
    rounds = len([release for release in releases if not release.bad]) - 1
    if rounds < 1:
        return "The first round is still to come"
    return f"{rounds} {'round' if rounds == 1 else 'rounds'} completed"


def _link(address: str, text: str, there: bool) -> str:
    return f'<a href="{address}">{text}</a>' if there else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
