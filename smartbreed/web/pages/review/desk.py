"""What one maintainer has before them: the list as it was when they opened it, and where they are in it."""

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

#: Flags held for one maintainer; the list is made anew when they are done with these.
MOST = 400
#: Flags in the list view with their thumbnails; a longer list is more scrolling than anyone does.
LISTED = 48
#: Orders that can be taken back one after the other.
_REMEMBERED = 50


@dataclass(frozen=True)
class DeskAction:
    """Decisions of one key press, to be taken back together."""

    flag_ids: tuple[str, ...]
    decision_ids: tuple[str, ...]


@dataclass(frozen=True)
class Desk:
    """Everything between two key presses.

    Attributes:
        filters: what the list was made with.
        items: the list; decided ones leave it, so that a maintainer keeps the place while working.
        beyond: flags that pass the filters and are not in the list.
        place: of the flag shown, from 0.
        orders: what can be taken back, the latest last.
        here: flags decided since the page was opened.
        number: of the list; every change of the list takes the next one, and what was chosen in the
            list before is chosen no longer.
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


class ReviewSession:
    """The desk of one open page; its lock keeps two key presses from starting at the same desk.

    Attributes:
        desk: read and replace it only while holding ``lock``.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.desk = Desk()

    def __deepcopy__(self, memo: Any) -> ReviewSession:
        # gradio copies a State's first value for every page that is opened.
        return ReviewSession()


def fill(review: ReviewService, desk: Desk, filters: Filters, at: str = "") -> Desk:
    """The desk with a list made now.

    Args:
        at: the flag to turn to if it is in the list; else the first is shown.

    Raises:
        ReviewError: a filter makes no sense.
    """
    found, count = review.top(filters, MOST)
    place = next((n for n, item in enumerate(found) if item.id == at), 0)
    return replace(
        desk, filters=filters, items=tuple(found), beyond=count - len(found), place=place,
        number=desk.number + 1,
    )  # fmt: skip


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
    place = min(desk.place - before, len(left) - 1)
    return replace(desk, items=left, place=place, number=desk.number + 1)


def after(review: ReviewService, desk: Desk, outcome: Outcome) -> Desk:
    """The desk after decisions of its maintainer."""
    made = outcome.decisions
    order = DeskAction(tuple(row.flag_id for row in made), tuple(row.decision_id for row in made))
    desk = replace(desk, orders=(*desk.orders, order)[-_REMEMBERED:], here=desk.here + len(made))
    now = review.current(list(outcome.skipped))
    elsewhere = [flag_id for flag_id in outcome.skipped if now.get(flag_id) != "open"]
    return without(review, desk, [*order.flag_ids, *elsewhere])


def taken_back(review: ReviewService, desk: Desk, rows: Iterable[Decision]) -> Desk:
    """The desk after an undo, at the flag that is open again if its filters let it be seen."""
    rows = list(rows)
    desk = replace(desk, here=max(0, desk.here - len(rows)))
    return fill(review, desk, desk.filters, rows[0].flag_id if rows else "")


def check_shown(desk: Desk, shown: str) -> None:
    """Fail unless a person acts on the flag they see.

    The page may be behind: a second key can arrive before the next flag is drawn.

    Args:
        shown: id of the flag that the page showed when the person acted; "" for none.

    Raises:
        ReviewError: ``not_shown``: the desk has moved on to another flag.
    """
    if shown != (desk.item.id if desk.item else ""):
        raise ReviewError(
            "not_shown", "The list had moved on to another flag; nothing was decided. Look again.", status=409
        )


def chosen_ids(desk: Desk, checked: str) -> list[str]:
    """The flags chosen in the list view.

    Args:
        checked: their ids as a JSON list, as `review.js` sends them.

    Raises:
        ReviewError: ``none_chosen``; ``not_shown`` when one of them is not in the list, so that
            no flag is decided that the person did not see.
    """
    ids = _ids(checked)
    if not ids:
        raise ReviewError("none_chosen", "Choose flags in the list first.")
    if not set(ids) <= {item.id for item in desk.listed}:
        raise ReviewError(
            "not_shown", "The list has changed meanwhile; nothing was decided. Choose again.", status=409
        )
    return ids


def any_chosen(checked: str) -> bool:
    """Whether flags are chosen in the list view."""
    return bool(_ids(checked))


def _ids(checked: str) -> list[str]:
    try:
        ids = json.loads(checked or "[]")
    except (ValueError, RecursionError):
        return []
    return [str(flag_id) for flag_id in ids] if isinstance(ids, list) else []
