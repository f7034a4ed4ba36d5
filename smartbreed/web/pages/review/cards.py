"""HTML of the review page: pure functions of plain values, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from smartbreed.core.errors import SmartBreedError
from smartbreed.review.claims import said
from smartbreed.review.queue import Item
from smartbreed.review.stats import Stats
from smartbreed.review.trust import Standing
from smartbreed.web.components.sentences import percent
from smartbreed.web.components.templates import escaped as escape
from smartbreed.web.pages.review.pictures import Views

Name = Callable[[str | None], str]

_LEVELS = {"trusted": "right often", "low": "wrong often", "new": "not known well yet"}


_DRAW_HINT = (
    '<p class="sb-draw-hint">Drag the box or its corners if it does not fit the missed pet. Thin frames are '
    "pets that the model found; the detector is taught with these too."
    '<output data-box-status="review"></output></p>'
)


def progress(stats: Stats, place: int, count: int, here: int) -> str:
    """How much is left, and where in the list one is.

    Args:
        place: of the flag shown, from 0.
        count: flags in the list.
        here: decided since the page was opened.
    """
    total = stats.open + stats.decided
    share = stats.decided / total if total else 1.0
    left = "Nothing to review" if not stats.open else f"{stats.open} left to review"
    notes = [f"{stats.decided} of {total} decided"] if total else []
    if here:
        notes.append(f"{here} by you just now")
    if stats.unseen:
        notes.append(f"the model has still to look at {stats.unseen}")
    where = f"<span>{place + 1} of {count} in this list</span>" if count else ""
    return (
        f'<div class="sb-review-top"><h2>{left}</h2><p>{escape(" · ".join(notes))}{where}</p>'
        f'<span class="sb-bar" role="progressbar" aria-valuenow="{share * 100:.0f}"'
        f' aria-label="Decided, percent"><i style="width:{share:.1%}"></i></span></div>'
    )


def pictures(item: Item, shown: Views, name: Name, alike: str) -> str:
    """The photo, and what speaks for the one and the other breed."""
    if shown.problem:
        return f'<p class="sb-problem">{escape(shown.problem)}</p>'
    heats = "".join(
        _heat(breed, url, name(breed), place == 0, item) for place, (breed, url) in enumerate(shown.heats)
    )
    drawn = "" if shown.box is None else f' data-box="{shown.box}"'
    hint = "" if shown.box is None else _DRAW_HINT
    return (
        f'<div class="sb-evidence"><figure class="sb-evidence-photo"><img src="{shown.photo}"{drawn} '
        f'alt="The photo, with a frame around the pet in question"></figure>{hint}'
        f'<div class="sb-heats">{heats}</div>{alike}</div>'
    )


def _heat(breed: str, url: str, name: str, models: bool, item: Item) -> str:
    who = (
        "the model’s answer" if models else "the person’s" if breed == item.flag.label else "the other answer"
    )
    caption = f"<figcaption>What speaks for <b>{escape(name)}</b>, {who}</figcaption>"
    if not url:
        return f'<figure class="sb-unknown"><p>The model does not know this breed yet.</p>{caption}</figure>'
    alt = f"The pet with what speaks for {name} in bright colours"
    return f'<figure><img src="{url}" alt="{escape(alt)}">{caption}</figure>'


def words(item: Item, shown: Views, name: Name) -> str:
    """What the person said, what the model says, and why this flag is here."""
    flag = item.flag
    note = f'<p class="sb-quote">“{escape(flag.note)}”</p>' if flag.note else ""
    own = ""
    if flag.label_text and flag.label:
        own = f'<p class="sb-quote">“{escape(flag.label_text)}”</p>'
    decided = ""
    if item.decision is not None and item.state != "open":
        decided = _decided(item, name)
    heading = "Why it is here" if item.state == "open" else "What stood out"
    why = "".join(f"<li>{escape(line)}</li>" for line in item.why)
    return (
        f'<div class="sb-item" data-flag="{escape(flag.id)}">{decided}'
        f'<section><h3>The person says</h3><p class="sb-said">{_said(item)}</p>'
        f'{own}{note}<p class="sb-note">{_person(flag.flagger, item.standing)}</p></section>'
        f"<section><h3>The model says</h3>{_bars(item, shown, name)}{_then(item, shown, name)}</section>"
        f'<section><h3>{heading}</h3><ul class="sb-why">{why}</ul></section></div>'
    )


def group_text(alike: Sequence[Item]) -> str:
    """What the box says that takes the near-duplicates along."""
    if len(alike) == 1:
        return "The same for its near-duplicate"
    return f"The same for its {len(alike)} near-duplicates"


def strip(alike: Sequence[Item], thumbs: Mapping[str, str], more: int) -> str:
    """The near-duplicates, with what was said of each."""
    if not alike:
        return ""
    shown = "".join(
        f'<li><img src="{thumbs.get(item.id, "")}" alt=""><span>{_said(item)}</span></li>' for item in alike
    )
    rest = f"<li>and {more} more</li>" if more else ""
    return f'<h3 class="sb-alike-head">Near-duplicates</h3><ul class="sb-alike">{shown}{rest}</ul>'


def _decided(item: Item, name: Name) -> str:
    row = item.decision
    assert row is not None
    who = {"agreement": "by agreement", "gold": "by a known answer"}.get(
        row.reviewer, f"by {row.reviewer[:8]}"
    )
    link = " " if item.state == "new breed" else " as "
    what = name(row.label) or row.species
    label = f"{link}{what}" if what else ""
    reason = f": {row.reason}" if row.reason else ""
    text = f"{item.state.capitalize()}{label} {who}, {row.decided_at:%d %B %H:%M} UTC{reason}"
    return f'<p class="sb-thanks">{escape(text)}</p>'


def _person(flagger: str, standing: Standing) -> str:
    known = standing.right + standing.wrong
    record = f"{standing.right} of {known} checked answers right" if known else "no answer checked yet"
    return f"Person <code>{escape(flagger[:8])}</code>, {_LEVELS[standing.level]}: {record}"


def _bars(item: Item, shown: Views, name: Name) -> str:
    top = [(g.id, g.probability) for g in shown.pet.breeds] if shown.pet else list(item.top)
    if not top:
        return '<p class="sb-note">It saw no pet here.</p>'
    rows = "".join(_bar(name(breed), p, breed == item.label) for breed, p in top)
    return f'<ol class="sb-bars" aria-label="Most likely breeds">{rows}</ol>'


def _bar(name: str, p: float, given: bool) -> str:
    return (
        f'<li class="{"sb-given" if given else ""}"><span class="sb-name">{escape(name)}</span>'
        f'<span class="sb-percent">{percent(p)}</span>'
        f'<span class="sb-bar" aria-hidden="true"><i style="width:{max(p, 0.007):.1%}"></i></span></li>'
    )


def _then(item: Item, shown: Views, name: Name) -> str:
    """What it said when it was flagged, if that was something else."""
    flag = item.flag
    if not flag.predicted or shown.pet is None:
        return ""
    now = shown.pet.breeds[0]
    if now.id == flag.predicted and abs(now.probability - (flag.probability or 0)) < 0.05:
        return ""
    sure = f" ({percent(flag.probability)})" if flag.probability is not None else ""
    return f'<p class="sb-note">When it was flagged: {escape(name(flag.predicted))}{sure}</p>'


def rows(items: Sequence[Item], thumbs: Mapping[str, str], name: Name, more: int, number: int = 0) -> str:
    """The list with a checkbox for each flag; ``review.js`` hands the checked ones over.

    Args:
        more: flags that pass the filters and are not listed.
        number: of the list; another number tells ``review.js`` that nothing is chosen any more.
    """
    if not items:
        return empty(False)
    cards = "".join(_row(item, thumbs.get(item.id, ""), name) for item in items)
    rest = f'<p class="sb-note">{more} more below these; narrow the list, or decide some.</p>' if more else ""
    return f'<ul class="sb-review-list" data-number="{number}">{cards}</ul>{rest}'


def _row(item: Item, thumb: str, name: Name) -> str:
    picture = (
        f'<img src="{thumb}" alt="" loading="lazy">' if thumb else '<span class="sb-no-photo">no photo</span>'
    )
    model = f"{name(item.top[0][0])} {percent(item.top[0][1])}" if item.top else "no pet seen"
    tags = [
        "" if item.state == "open" else item.state,
        {"cap": "daily cap", "trust": "low trust", "": ""}[item.held],
        f"{len(item.group)} alike" if len(item.group) > 1 else "",
    ]
    shown = "".join(f'<span class="sb-tag">{escape(tag)}</span>' for tag in tags if tag)
    return (
        f'<li><label><input type="checkbox" value="{escape(item.id)}">{picture}'
        f'<span class="sb-row-text"><b>{_said(item)}</b><span>Model: {escape(model)}</span>'
        f'<span class="sb-tags">{shown}</span>'
        f'<span class="sb-row-why">{escape(item.why[0])}</span></span></label></li>'
    )


def empty(filtered: bool, ever: bool = True) -> str:
    """Nothing in the list.

    Args:
        filtered: filters may be the reason.
        ever: something has been flagged here before.
    """
    if filtered:
        text = "No flag passes these filters. Widen them to see more."
        return f'<div class="sb-empty"><h2>Nothing fits</h2><p>{text}</p></div>'
    if not ever:
        text = 'When somebody corrects an answer on the <a href="/">Identify page</a>, it turns up here.'
        return f'<div class="sb-empty"><h2>No flags yet</h2><p>{text}</p></div>'
    return (
        '<div class="sb-empty"><h2>All done</h2><p>No flag waits for a decision. When somebody corrects an '
        "answer on the Identify page, it turns up here.</p>"
        '<p>What was accepted can become the next model, on the <a href="train">Retrain page</a>.</p></div>'
    )


def accept_text(item: Item) -> str:
    """What the button that accepts says."""
    if item.flag.verdict == "not_a_pet":
        return "Accept: no pet"
    if item.flag.verdict == "missed" and not item.label_name:
        return "Accept the box"
    return f"Accept {item.label_name}" if item.label_name else "Accept"


def problem(error: SmartBreedError) -> str:
    return f'<p class="sb-problem" role="alert">{escape(error.message)}</p>'


def _said(item: Item) -> str:
    return escape(said(item.flag, item.label_name))
