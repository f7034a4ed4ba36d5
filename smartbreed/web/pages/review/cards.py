"""What the review page says; its fragments are macros of ``templates/review.html``, called like functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smartbreed.review.claims import said
from smartbreed.review.decisions import NewBreed, breed_name
from smartbreed.review.queue import Item
from smartbreed.review.service import Outcome
from smartbreed.review.stats import Stats
from smartbreed.web.components.sentences import percent
from smartbreed.web.components.templates import Macros
from smartbreed.web.pages.review.pictures import Views

Name = Callable[[str | None], str]

MACROS = Macros("review.html")


def progress(stats: Stats, place: int, count: int, here: int) -> str:
    """How much is left, and where in the list one is.

    Args:
        place: of the flag shown, from 0.
        count: flags in the list.
        here: decided since the page was opened.
    """
    total = stats.open + stats.decided
    left = "Nothing to review" if not stats.open else f"{stats.open} left to review"
    notes = [f"{stats.decided} of {total} decided"] if total else []
    if here:
        notes.append(f"{here} by you just now")
    if stats.unseen:
        notes.append(f"the model has still to look at {stats.unseen}")
    return str(MACROS.progress(left, notes, place, count, stats.decided / total if total else 1.0))


def pictures(item: Item, shown: Views, name: Name, alike: Any) -> str:
    """The photo under what the person said, and what speaks for the one and the other breed."""
    return str(MACROS.pictures(item, shown, name, _said(item), alike))


def words(item: Item, shown: Views, name: Name) -> str:
    """What the person said, what the model says, and why this flag is here."""
    decided = _decided(item, name) if item.decision is not None and item.state != "open" else ""
    return str(MACROS.words(item, shown, name, _said(item), decided, _then(item, shown, name)))


def group_text(alike: Sequence[Item]) -> str:
    """What the box says that takes the near-duplicates along."""
    if len(alike) == 1:
        return "The same for its near-duplicate"
    return f"The same for its {len(alike)} near-duplicates"


def strip(alike: Sequence[Item], thumbs: Mapping[str, str], more: int) -> Any:
    """The near-duplicates, with what each person said."""
    return MACROS.strip([(thumbs.get(item.id, ""), _said(item)) for item in alike], more)


def _decided(item: Item, name: Name) -> str:
    row = item.decision
    assert row is not None
    who = {"agreement": "by agreement", "gold": "by a known answer"}.get(
        row.reviewer, f"by {row.reviewer[:8]}"
    )
    reason = f": {row.reason}" if row.reason else ""
    return f"{_outcome(item, name)} {who}, {row.decided_at:%d %B %H:%M} UTC{reason}"


def _outcome(item: Item, name: Name) -> str:
    """What became of a flag: "New breed Mudi", with the name that a maintainer gave it."""
    row = item.decision
    what = "" if row is None else row.name or name(row.label) or row.species
    link = " " if item.state == "new breed" else " as "
    return item.state.capitalize() + (f"{link}{what}" if what else "")


def _then(item: Item, shown: Views, name: Name) -> str:
    """What it said when it was flagged, if that was something else."""
    flag = item.flag
    if not flag.predicted or shown.pet is None:
        return ""
    now = shown.pet.breeds[0]
    if now.id == flag.predicted and abs(now.probability - (flag.probability or 0)) < 0.05:
        return ""
    sure = f" ({percent(flag.probability)})" if flag.probability is not None else ""
    return f"When it was flagged: {name(flag.predicted)}{sure}"


def rows(items: Sequence[Item], thumbs: Mapping[str, str], name: Name, more: int, number: int = 0) -> str:
    """The list with a checkbox for each flag; ``review.js`` hands the checked ones over.

    Args:
        more: flags that pass the filters and are not listed.
        number: of the list.
    """
    if not items:
        return str(MACROS.empty(False))

    def model(item: Item) -> str:
        return f"{name(item.top[0][0])} {percent(item.top[0][1])}" if item.top else "no pet seen"

    drawn = [
        (item, thumbs.get(item.id, ""), _said(item), model(item), _outcome(item, name)) for item in items
    ]
    return str(MACROS.rows(drawn, more, number))


def accept_text(item: Item) -> str:
    """What the button that accepts says."""
    if item.flag.verdict == "not_a_pet":
        return "Accept: no pet"
    if item.flag.verdict == "missed" and not item.label_name:
        return "Accept the box"
    return f"Accept {item.label_name}" if item.label_name else "Accept"


def outcome_text(outcome: Outcome, new: Mapping[str, NewBreed]) -> str:
    """What was just decided, and what was not."""
    rows = outcome.decisions
    row = rows[0]
    verb = {"accept": "Accepted", "relabel": "Relabelled", "reject": "Rejected", "new_breed": "New breed"}
    link = " " if row.decision == "new_breed" else " as "
    label = f"{link}{row.name or breed_name(row.label, new)}" if row.label else ""
    if len({other.label for other in rows}) > 1:
        text = f"{len(rows)} flags decided."
    elif len({other.decision for other in rows}) > 1:
        text = f"{len(rows)} flags decided{label}."
    else:
        many = f" {len(rows)} flags" if len(rows) > 1 else ""
        text = f"{verb[row.decision]}{many}{label}."
    return str(MACROS.decided(text, list(outcome.skipped.values())[:5]))


def _said(item: Item) -> str:
    return said(item.flag, item.label_name)
