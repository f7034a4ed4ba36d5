"""Texts and HTML fragments of the review page; the fragments are macros of ``templates/review.html``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from babel.dates import format_skeleton

from smartbreed.i18n import ENGLISH, gettext, language, mark, translated
from smartbreed.review.claims import said
from smartbreed.review.decisions import OUTCOMES, breed_name
from smartbreed.review.queue import Item
from smartbreed.review.service import Outcome
from smartbreed.review.stats import Progress
from smartbreed.web.components.sentences import percent
from smartbreed.web.components.templates import Macros
from smartbreed.web.pages.review.pictures import Views

Name = Callable[[str | None], str]

MACROS = Macros("review.html")

#: State of a flag → its text alone, and with the breed that was decided on.
_STATES = {
    "open": (mark("Open"), mark("Open: %(breed)s")),
    "accepted": (mark("Accepted"), mark("Accepted as %(breed)s")),
    "relabelled": (mark("Relabelled"), mark("Relabelled as %(breed)s")),
    "rejected": (mark("Rejected"), mark("Rejected as %(breed)s")),
    "new breed": (mark("New breed"), mark("New breed %(breed)s")),
}
#: Decision about several flags at once → its text alone, and with the breed.
_MANY = {
    "accept": (mark("Accepted %(number)s flags."), mark("Accepted %(number)s flags as %(breed)s.")),
    "relabel": (mark("Relabelled %(number)s flags."), mark("Relabelled %(number)s flags as %(breed)s.")),
    "reject": (mark("Rejected %(number)s flags."), mark("Rejected %(number)s flags as %(breed)s.")),
    "new_breed": (mark("New breed: %(number)s flags."), mark("New breed: %(number)s flags as %(breed)s.")),
}
_SPECIES = {"cat": mark("cat"), "dog": mark("dog")}


def progress(done: Progress, place: int, count: int, here: int) -> str:
    """Return how many flags are left, and the position in the list.

    Args:
        done: numbers of open, decided and unseen flags.
        place: index of the flag shown, from 0.
        count: number of flags in the list.
        here: number of flags decided since the page was opened.
    """
    total = done.open + done.decided
    left = (
        gettext("%(number)s left to review", number=done.open) if done.open else gettext("Nothing to review")
    )
    notes = [gettext("%(decided)s of %(total)s decided", decided=done.decided, total=total)] if total else []
    if here:
        notes.append(gettext("%(number)s by you just now", number=here))
    if done.unseen:
        notes.append(gettext("the model has yet to look at %(number)s", number=done.unseen))
    return str(MACROS.progress(left, notes, place, count, done.decided / total if total else 1.0))


def pictures(item: Item, shown: Views, name: Name, alike: Any) -> str:
    """Return the photo below the person's answer, the heat maps of two breeds, and the near-duplicates."""
    return str(MACROS.pictures(item, shown, name, _said(item), alike))


def words(item: Item, shown: Views, name: Name) -> str:
    """Return the person's answer, the model's answer, and why this flag is shown."""
    decided = _decided(item, name) if item.decision is not None and item.state != "open" else ""
    return str(MACROS.words(item, shown, name, _said(item), decided, _then(item, shown, name)))


def group_text(alike: Sequence[Item]) -> str:
    """Return the label of the checkbox that includes the near-duplicates in a decision."""
    if len(alike) == 1:
        return gettext("The same for its near-duplicate")
    return gettext("The same for its %(number)s near-duplicates", number=len(alike))


def strip(alike: Sequence[Item], thumbs: Mapping[str, str], more: int) -> Any:
    """Return the near-duplicates, each with its person's answer."""
    return MACROS.strip([(thumbs.get(item.id, ""), _said(item)) for item in alike], more)


def _decided(item: Item, name: Name) -> str:
    row = item.decision
    assert row is not None
    sentence = {
        "agreement": mark("%(outcome)s by agreement, %(when)s"),
        "gold": mark("%(outcome)s by a known answer, %(when)s"),
    }.get(row.reviewer, mark("%(outcome)s by %(who)s, %(when)s"))
    reason = f": {row.reason}" if row.reason else ""
    when = f"{_day_of_year(row.decided_at)} {row.decided_at:%H:%M} UTC"
    return gettext(sentence, outcome=_outcome(item, name), who=row.reviewer[:8], when=when) + reason


def _day_of_year(moment: dt.datetime) -> str:
    code = language()
    return f"{moment:%d %B}" if code == ENGLISH else str(format_skeleton("MMMMd", moment, locale=code))


def _outcome(item: Item, name: Name) -> str:
    """Say what became of a flag, such as "New breed Mudi" with the name that a maintainer gave it."""
    row = item.decision
    what = "" if row is None else row.name or name(row.label) or gettext(_SPECIES.get(row.species or "", ""))
    alone, of_breed = _STATES[item.state]
    return gettext(of_breed, breed=what) if what else gettext(alone)


def _then(item: Item, shown: Views, name: Name) -> str:
    """Return the model's answer when it was flagged; empty if it has hardly changed since."""
    flag = item.flag
    if not flag.predicted or shown.pet is None:
        return ""
    now = shown.pet.breeds[0]
    if now.id == flag.predicted and abs(now.probability - (flag.probability or 0)) < 0.05:
        return ""
    sure = f" ({percent(flag.probability)})" if flag.probability is not None else ""
    return gettext("When it was flagged: %(breed)s", breed=f"{name(flag.predicted)}{sure}")


def rows(items: Sequence[Item], thumbs: Mapping[str, str], name: Name, more: int, number: int = 0) -> str:
    """Return the list with a checkbox for each flag; ``review.js`` sends the checked ones.

    Args:
        more: number of flags that match the filters but are not listed.
        number: see `Desk.number`.
    """
    if not items:
        return str(MACROS.empty(False))

    def model(item: Item) -> str:
        return f"{name(item.top[0][0])} {percent(item.top[0][1])}" if item.top else gettext("no pet seen")

    drawn = [
        (item, thumbs.get(item.id, ""), _said(item), model(item), _outcome(item, name)) for item in items
    ]
    return str(MACROS.rows(drawn, more, number))


def accept_text(item: Item) -> str:
    """Return the label of the accept button."""
    if item.flag.verdict == "not_a_pet":
        return gettext("Accept: no pet")
    if item.flag.verdict == "missed" and not item.label_name:
        return gettext("Accept the box")
    return gettext("Accept %(breed)s", breed=item.label_name) if item.label_name else gettext("Accept")


def outcome_text(outcome: Outcome, names: Mapping[str, str]) -> str:
    """Return what was just decided, and why some flags were skipped."""
    rows = outcome.decisions
    row = rows[0]
    breed = row.name or breed_name(row.label, names) if row.label else ""
    if len({other.label for other in rows}) > 1:
        text = gettext("%(number)s flags decided.", number=len(rows))
    elif len({other.decision for other in rows}) > 1:
        said = mark("%(number)s flags decided as %(breed)s.") if breed else mark("%(number)s flags decided.")
        text = gettext(said, number=len(rows), breed=breed)
    elif len(rows) > 1:
        text = gettext(_MANY[row.decision][bool(breed)], number=len(rows), breed=breed)
    else:
        text = f"{gettext(_STATES[OUTCOMES[row.decision]][bool(breed)], breed=breed)}."
    return str(MACROS.decided(text, [translated(why) for why in list(outcome.skipped.values())[:5]]))


def _said(item: Item) -> str:
    return said(item.flag, item.label_name)
