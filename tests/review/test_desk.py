"""What one maintainer has before them, and that nothing is decided which they did not see or choose."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from smartbreed.core.errors import ReviewError
from smartbreed.review import decisions
from smartbreed.review.queue import Filters
from smartbreed.review.service import ReviewService
from smartbreed.web.pages.review.desk import (
    LISTED,
    Desk,
    ReviewSession,
    after,
    check_shown,
    chosen_ids,
    fill,
    taken_back,
)

ME = "a" * 64


@pytest.fixture
def desk(review: ReviewService, flag: Any) -> Desk:
    """Six open flags."""
    for seed in range(6):
        flag(seed)
    return fill(review, Desk(), Filters())


@pytest.mark.parametrize("chosen", ["", "[]", "{}", "no json", "null"])
def test_nothing_chosen_is_said(desk: Desk, chosen: str) -> None:
    with pytest.raises(ReviewError) as error:
        chosen_ids(desk, chosen)
    assert error.value.code == "none_chosen"


def test_only_listed_flags_can_be_chosen(desk: Desk, review: ReviewService, flag: Any) -> None:
    ids = [item.id for item in desk.items[:2]]
    assert chosen_ids(desk, json.dumps(ids)) == ids
    elsewhere = flag(100)  # came in after the list was made
    with pytest.raises(ReviewError) as error:
        chosen_ids(desk, json.dumps([*ids, elsewhere]))
    assert (error.value.code, error.value.status) == ("not_shown", 409)


def test_flags_below_the_listed_ones_cannot_be_chosen(review: ReviewService, flag: Any) -> None:
    for seed in range(LISTED + 1):
        flag(seed)
    desk = fill(review, Desk(), Filters())
    assert len(desk.listed) == LISTED
    with pytest.raises(ReviewError):
        chosen_ids(desk, json.dumps([desk.items[-1].id]))


def test_what_was_chosen_before_an_action_cannot_be_decided_after_it(
    desk: Desk, review: ReviewService
) -> None:
    chosen = json.dumps([item.id for item in desk.items[:2]])
    outcome = review.decide(chosen_ids(desk, chosen), decisions.reject(), ME)
    left = after(review, desk, outcome)
    with pytest.raises(ReviewError):
        chosen_ids(left, chosen)


def test_every_change_of_the_list_gives_it_another_number(desk: Desk, review: ReviewService) -> None:
    decided = after(review, desk, review.decide([desk.items[0].id], decisions.reject(), ME))
    undone = taken_back(review, decided, review.undo([desk.items[0].id], ME).decisions)
    narrowed = fill(review, undone, Filters(verdict="unsure"))
    numbers = [desk.number, decided.number, undone.number, narrowed.number]
    assert numbers == sorted(set(numbers))


def test_a_list_that_runs_empty_and_is_made_anew_has_another_number(
    desk: Desk, review: ReviewService
) -> None:
    ids = [item.id for item in desk.items]
    assert after(review, desk, review.decide(ids, decisions.reject(), ME)).number > desk.number


def test_acting_on_another_flag_than_the_one_shown_is_refused(desk: Desk) -> None:
    assert desk.item is not None
    check_shown(desk, desk.item.id)
    for shown in (desk.items[1].id, ""):
        with pytest.raises(ReviewError) as error:
            check_shown(desk, shown)
        assert error.value.code == "not_shown"
    check_shown(Desk(), "")


def test_each_page_has_a_desk_of_its_own() -> None:
    first = ReviewSession()
    second = deepcopy(first)
    first.desk = Desk(here=3)
    assert second.desk.here == 0
    assert second.lock is not first.lock
