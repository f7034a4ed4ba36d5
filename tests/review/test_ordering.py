"""The order of the queue: total, the same everywhere, and held-back flags last."""

from __future__ import annotations

import datetime as dt
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from smartbreed.review.ordering import WEIGHTS, Evidence, disagreement, order, rarity, usefulness

signal = st.floats(0, 1) | st.sampled_from([float("nan"), float("inf"), -1.0, 2.0])
evidence = st.builds(
    Evidence,
    flag_id=st.text("0123456789ABC", min_size=4, max_size=4),
    flagged_at=st.datetimes(timezones=st.just(dt.UTC)),
    held=st.sampled_from(["", "cap", "trust"]),
    **dict.fromkeys(WEIGHTS, signal),
)


@given(st.lists(evidence, unique_by=lambda e: e.flag_id, max_size=12), st.randoms(use_true_random=False))
def test_the_order_is_total_and_does_not_depend_on_where_one_starts(
    items: list[Evidence], luck: random.Random
) -> None:
    expected = sorted(items, key=order)
    shuffled = list(items)
    luck.shuffle(shuffled)
    assert sorted(shuffled, key=order) == expected
    keys = [order(item) for item in expected]
    assert all(first < second for first, second in pairwise(keys))


@given(st.lists(evidence, unique_by=lambda e: e.flag_id, max_size=12))
def test_those_held_back_come_last(items: list[Evidence]) -> None:
    held = [item.held for item in sorted(items, key=order)]
    assert held == sorted(held, key=["", "cap", "trust"].index)


@given(evidence)
def test_usefulness_is_a_share(item: Evidence) -> None:
    assert 0 <= usefulness(item) <= 1 + 1e-9
    assert abs(sum(WEIGHTS.values()) - 1) < 1e-9


@given(evidence, st.sampled_from(sorted(WEIGHTS)), st.floats(0, 1))
def test_more_of_a_signal_is_never_less_useful(item: Evidence, name: str, value: float) -> None:
    from dataclasses import replace

    low, high = sorted((value, value / 2))
    assert usefulness(replace(item, **{name: low})) <= usefulness(replace(item, **{name: high})) + 1e-12


@given(st.lists(st.integers(1, 50), max_size=8))
def test_disagreement(counts: list[int]) -> None:
    assert 0 <= disagreement(counts) <= 1
    assert (disagreement(counts) == 0) == (len(counts) < 2)


def test_rarity_falls() -> None:
    values = [rarity(count) for count in range(100)]
    assert values[0] == 1
    assert values == sorted(values, reverse=True)
