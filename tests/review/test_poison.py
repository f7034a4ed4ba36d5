"""A flood of bad labels from one person: how much of it gets by, with caps and trust."""

from __future__ import annotations

from typing import Any

import pytest

from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import FlagService
from smartbreed.review import decisions
from smartbreed.review.queue import Filters
from smartbreed.review.service import ReviewService

ANN = "a" * 64
CAP = 8
PHOTOS = 100


@pytest.mark.parametrize("share", [0.05, 0.30])
@pytest.mark.parametrize("disguised", [False, True], ids=["newcomer", "trusted before"])
def test_one_poisoner(
    flags: FlagService, settings: Settings, clock: Any, flag: Any, share: float, disguised: bool
) -> None:
    """Honest people flag a hundred photos, two a photo; one person adds lies, alone and beside others."""
    review = ReviewService(flags, settings.model_copy(update={"daily_flags": CAP}), clock)
    helpers = [f"honest {n}" for n in range(30)]
    for n, who in enumerate(helpers[:10]):  # a record for some of the honest ones
        review.decide([flag(5000 + 10 * n + k, who) for k in range(5)], decisions.accept(), ANN)
    if disguised:
        review.decide([flag(9000 + k, "eve") for k in range(5)], decisions.accept(), ANN)
    lies = set()
    for seed in range(PHOTOS):
        flag(seed, helpers[seed % 30])
        flag(seed, helpers[(seed * 7 + 11) % 30])
    for seed in range(round(2 * PHOTOS * share / (1 - share))):
        lies.add(flag(seed if seed % 2 else 3000 + seed, "eve", label="persian"))

    review.decide_by_consensus()
    taken = {item.id for item in review.queue(Filters("accepted"))}
    assert not lies & taken, "nothing of one person's gets by without a maintainer"
    assert len(taken) > PHOTOS / 2, "and honest agreement still works"

    # Each lie within the cap may be counted until a maintainer looks; none beyond it.
    by_id = {item.id: item for item in review.queue()}
    counted = {flag_id for flag_id in lies if not by_id[flag_id].held}
    assert len(counted) <= CAP
    assert {by_id[flag_id].held for flag_id in lies - counted} <= {"cap", "trust"}
    if len(lies) > CAP:
        ids = [item.id for item in review.queue()]
        assert min(map(ids.index, lies - counted)) > max(
            place for place, flag_id in enumerate(ids) if not by_id[flag_id].held
        )


def test_known_answers_find_a_poisoner_out(review: ReviewService, flag: Any) -> None:
    gold = [flag(seed, "maintainer") for seed in range(5)]
    review.decide(gold, decisions.accept(), ANN)
    for flag_id in gold:
        review.set_gold(flag_id, ANN)
    for seed in range(5):
        flag(seed, "eve", label="persian")
        flag(seed, "bob")
    more = [flag(100 + seed, who, label="persian") for seed in range(3) for who in ("eve", "bob")]
    review.decide_by_consensus()
    standing = {item.id: item for item in review.queue()}
    assert {standing[flag_id].held for flag_id in more[::2]} == {"trust"}
    assert {standing[flag_id].held for flag_id in more[1::2]} == {""}
    assert {standing[flag_id].standing.level for flag_id in more[1::2]} == {"trusted"}
    assert [item.held for item in review.queue()] == [""] * 3 + ["trust"] * 3
    assert "right in only 0 of 5" in standing[more[0]].why[0]


def test_a_friend_cannot_vouch_for_more_than_the_cap(
    flags: FlagService, settings: Settings, clock: Any, flag: Any
) -> None:
    """The worst case: a person with a good record and an accomplice agree on lies all day."""
    review = ReviewService(flags, settings.model_copy(update={"daily_flags": CAP}), clock)
    review.decide([flag(9000 + k, "eve") for k in range(5)], decisions.accept(), ANN)
    for seed in range(30):
        flag(seed, "eve", label="persian")
        flag(seed, "mallory", label="persian")
    accepted = review.decide_by_consensus()
    assert len({row.sample_id for row in accepted}) <= CAP
    assert {row.reviewer for row in accepted} <= {"agreement"}


def test_taking_back_and_sending_again_does_not_stretch_the_cap(
    flags: FlagService, settings: Settings, clock: Any, flag: Any
) -> None:
    review = ReviewService(flags, settings.model_copy(update={"daily_flags": 2}), clock)
    for seed in range(4):
        flags.withdraw(flag(seed, "eve"), "eve")
    last = flag(9, "eve")
    assert review.item(last).held == "cap"
    assert "first 2 flags" in review.item(last).why[0]
