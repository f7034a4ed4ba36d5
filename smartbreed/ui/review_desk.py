"""What one maintainer has before them: the list as it was when they opened it, and where they are in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from smartbreed.errors import ReviewError
from smartbreed.review.queue import Filters, Item
from smartbreed.review.service import Outcome, ReviewService
from smartbreed.review.tables import Decision

#: Flags held for one maintainer; the list is made anew when they are done with these.
MOST = 400
#: Orders that can be taken back one after the other.
_REMEMBERED = 50


@dataclass(frozen=True)
class Order:
    """Decisions of one key press, to be taken back together."""

    flag_ids: tuple[str, ...]
    decision_ids: tuple[str, ...]


@dataclass(frozen=True)
class Desk:
    """Everything between two key presses.

    Attributes:
        filters: what the list was made with.
        items: the list; decided ones leave it, so that nobody's place jumps while they work.
        beyond: flags that pass the filters and are not in the list.
        place: of the flag shown, from 0.
        orders: what can be taken back, the latest last.
        here: flags decided since the page was opened.
    """

    filters: Filters = field(default_factory=Filters)
    items: tuple[Item, ...] = field(default=(), repr=False)
    beyond: int = 0
    place: int = 0
    orders: tuple[Order, ...] = ()
    here: int = 0

    @property
    def item(self) -> Item | None:
        """The flag shown."""
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
        """Whether more might show with other filters."""
        return self.filters != Filters()


def fill(review: ReviewService, desk: Desk, filters: Filters, at: str = "") -> Desk:
    """The desk with a list made now.

    Args:
        at: the flag to turn to if it is in the list; else the first is shown.

    Raises:
        ReviewError: a filter makes no sense.
    """
    found, count = review.top(filters, MOST)
    place = next((n for n, item in enumerate(found) if item.id == at), 0)
    return replace(desk, filters=filters, items=tuple(found), beyond=count - len(found), place=place)


def turn(review: ReviewService, desk: Desk, step: int) -> Desk:
    """The desk some flags on or back, past those that were decided or taken back meanwhile."""
    place = min(max(desk.place + step, 0), max(len(desk.items) - 1, 0))
    desk = replace(desk, place=place)
    while desk.item is not None:
        state = review.current([desk.item.id]).get(desk.item.id)
        if state == desk.item.state:
            return desk
        desk = without(review, desk, [desk.item.id])
    return desk


def without(review: ReviewService, desk: Desk, flag_ids: Iterable[str]) -> Desk:
    """The desk with these flags gone from its list; a list that runs empty is made anew."""
    gone = set(flag_ids)
    before = sum(item.id in gone for item in desk.items[: desk.place])
    left = tuple(item for item in desk.items if item.id not in gone)
    if not left:
        return fill(review, desk, desk.filters)
    return replace(desk, items=left, place=min(desk.place - before, len(left) - 1))


def after(review: ReviewService, desk: Desk, outcome: Outcome) -> Desk:
    """The desk after decisions of its maintainer."""
    made = outcome.decisions
    order = Order(tuple(row.flag_id for row in made), tuple(row.decision_id for row in made))
    desk = replace(desk, orders=(*desk.orders, order)[-_REMEMBERED:], here=desk.here + len(made))
    now = review.current(list(outcome.skipped))
    elsewhere = [flag_id for flag_id in outcome.skipped if now.get(flag_id) != "open"]
    return without(review, desk, [*order.flag_ids, *elsewhere])


def taken_back(review: ReviewService, desk: Desk, rows: Iterable[Decision]) -> Desk:
    """The desk after an undo, at the flag that is open again if its filters let it be seen."""
    rows = list(rows)
    desk = replace(desk, here=max(0, desk.here - len(rows)))
    return fill(review, desk, desk.filters, rows[0].flag_id if rows else "")


def chosen_ids(checked: str) -> list[str]:
    """The flags chosen in the list, as `review.js` sends them.

    Raises:
        ReviewError: none are.
    """
    try:
        ids = json.loads(checked or "[]")
    except ValueError:
        ids = []
    if not isinstance(ids, list) or not ids:
        raise ReviewError("none_chosen", "Choose flags in the list first.")
    return [str(flag_id)[:40] for flag_id in ids]
