"""The state of one maintainer's review page: the list of flags as it was loaded, and the position in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from smartbreed.core.errors import ReviewError
from smartbreed.review.queue import Filters, Item
from smartbreed.review.service import Outcome, ReviewService
from smartbreed.review.tables import Decision

#: Maximum number of flags in the list; once all of them are decided, the list is loaded again.
MOST = 400
#: Maximum number of flags and thumbnails in the list view; few people scroll further.
LISTED = 48
#: Maximum number of actions that can be undone one after the other.
_REMEMBERED = 50


@dataclass(frozen=True)
class DeskAction:
    """The decisions of one key press, which are undone together."""

    flag_ids: tuple[str, ...]
    decision_ids: tuple[str, ...]


@dataclass(frozen=True)
class Desk:
    """The state between two key presses.

    Attributes:
        filters: the filters with which the list was loaded.
        items: the list; decided flags leave it, so that a maintainer keeps the position while working.
        beyond: number of flags that match the filters but are not in the list.
        place: index of the flag shown, from 0.
        orders: the actions that can be undone, latest last.
        here: number of flags decided since the page was opened.
        number: counts the changes of the list; each change clears the selection in the list view.
    """

    filters: Filters = field(default_factory=Filters)
    items: tuple[Item, ...] = field(default=(), repr=False)
    beyond: int = 0
    place: int = 0
    orders: tuple[DeskAction, ...] = ()
    here: int = 0
    number: int = 0

    @property
    def listed(self) -> tuple[Item, ...]:
        """The flags that the list view shows."""
        return self.items[:LISTED]

    @property
    def item(self) -> Item | None:
        """The flag shown; None if the list is empty."""
        return self.items[self.place] if self.items else None

    @property
    def alike(self) -> list[Item]:
        """Near-duplicates of the flag shown."""
        if self.item is None:
            return []
        ids = set(self.item.group) - {self.item.id}
        return [item for item in self.items if item.id in ids]

    @property
    def narrowed(self) -> bool:
        """True if the filters are not the defaults, so other filters might show more flags."""
        return self.filters != Filters()


class ReviewSession:
    """The desk of one open page, with a lock so that two key presses cannot start from the same desk.

    Attributes:
        desk: read and replace it only while holding ``lock``.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.desk = Desk()

    def __deepcopy__(self, memo: Any) -> ReviewSession:
        # gradio deep-copies a State's initial value for every page opened, and a lock cannot be copied.
        return ReviewSession()


def fill(review: ReviewService, desk: Desk, filters: Filters, at: str = "") -> Desk:
    """Return the desk with a newly loaded list.

    Args:
        at: id of the flag to show; if it is not in the list, the first flag is shown.

    Raises:
        ReviewError: a filter is invalid.
    """
    found, count = review.top(filters, MOST)
    place = next((n for n, item in enumerate(found) if item.id == at), 0)
    return replace(
        desk, filters=filters, items=tuple(found), beyond=count - len(found), place=place,
        number=desk.number + 1,
    )  # fmt: skip


def turn(review: ReviewService, desk: Desk, step: int) -> Desk:
    """Return the desk ``step`` flags further, without flags that others have decided or reopened since."""
    place = min(max(desk.place + step, 0), max(len(desk.items) - 1, 0))
    desk = replace(desk, place=place)
    while desk.item is not None:
        state = review.current([desk.item.id]).get(desk.item.id)
        if state == desk.item.state:
            return desk
        desk = without(review, desk, [desk.item.id])
    return desk


def without(review: ReviewService, desk: Desk, flag_ids: Iterable[str]) -> Desk:
    """Return the desk without these flags; if its list is then empty, it is loaded again."""
    gone = set(flag_ids)
    before = sum(item.id in gone for item in desk.items[: desk.place])
    left = tuple(item for item in desk.items if item.id not in gone)
    if not left:
        return fill(review, desk, desk.filters)
    place = min(desk.place - before, len(left) - 1)
    return replace(desk, items=left, place=place, number=desk.number + 1)


def after(review: ReviewService, desk: Desk, outcome: Outcome) -> Desk:
    """Return the desk after its maintainer's decisions."""
    made = outcome.decisions
    order = DeskAction(tuple(row.flag_id for row in made), tuple(row.decision_id for row in made))
    desk = replace(desk, orders=(*desk.orders, order)[-_REMEMBERED:], here=desk.here + len(made))
    now = review.current(list(outcome.skipped))
    elsewhere = [flag_id for flag_id in outcome.skipped if now.get(flag_id) != "open"]
    return without(review, desk, [*order.flag_ids, *elsewhere])


def taken_back(review: ReviewService, desk: Desk, rows: Iterable[Decision]) -> Desk:
    """Return the desk after an undo, at the reopened flag if it matches the filters."""
    rows = list(rows)
    desk = replace(desk, here=max(0, desk.here - len(rows)))
    return fill(review, desk, desk.filters, rows[0].flag_id if rows else "")


def check_shown(desk: Desk, shown: str) -> None:
    """Check that a person acts on the flag that they see.

    The page may lag behind: a second key press can arrive before the next flag is drawn.

    Args:
        shown: id of the flag that the page showed when the person acted; empty for none.

    Raises:
        ReviewError: ``not_shown``: the desk has moved on to another flag.
    """
    if shown != (desk.item.id if desk.item else ""):
        raise ReviewError(
            "not_shown", "The list had moved on to another flag; nothing was decided. Look again.", status=409
        )


def chosen_ids(desk: Desk, checked: str) -> list[str]:
    """Return the ids of the flags chosen in the list view.

    Args:
        checked: the ids as a JSON list, as sent by ``review.js``.

    Raises:
        ReviewError: ``none_chosen``; ``not_shown`` if one of them is not in the list view, so that
            no flag is decided that the person did not see.
    """
    ids = _ids(checked)
    if not ids:
        raise ReviewError("none_chosen", "Choose flags in the list first.")
    if not set(ids) <= {item.id for item in desk.listed}:
        raise ReviewError(
            "not_shown",
            ("The list has changed in the meantime; nothing was decided. Choose again."),
            status=409,
        )
    return ids


def any_chosen(checked: str) -> bool:
    """Return True if flags are chosen in the list view."""
    return bool(_ids(checked))


def _ids(checked: str) -> list[str]:
    try:
        ids = json.loads(checked or "[]")
    except (ValueError, RecursionError):
        return []
    return [str(flag_id) for flag_id in ids] if isinstance(ids, list) else []
