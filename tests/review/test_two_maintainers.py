"""Several maintainers at once, each with a database connection of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from smartbreed.core.errors import ReviewError
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import open_feedback
from smartbreed.review import decisions
from smartbreed.review.service import ReviewService

MAINTAINERS = 4


def test_each_flag_is_decided_once(settings: Settings, review: ReviewService, flag: Any) -> None:
    ids = [flag(seed) for seed in range(15)]
    start = Barrier(MAINTAINERS)

    def work(number: int) -> tuple[int, list[str]]:
        flags = open_feedback(settings)
        mine, reported = 0, []
        service = ReviewService(flags, settings)
        start.wait()
        for flag_id in ids:
            try:
                service.decide([flag_id], decisions.accept(), f"{number}" * 64)
                mine += 1
            except ReviewError as error:
                reported.append(error.message)
        flags.close()
        return mine, reported

    with ThreadPoolExecutor(MAINTAINERS) as pool:
        results = list(pool.map(work, range(MAINTAINERS)))
    assert sum(mine for mine, _ in results) == len(ids)
    assert sum(len(reported) for _, reported in results) == (MAINTAINERS - 1) * len(ids)
    assert all("by a maintainer" in line for _, reported in results for line in reported)
    assert all(len(review.history(flag_id)) == 1 for flag_id in ids)
    assert review.item(ids[0]).standing.right == len(ids)


def test_settling_in_several_processes_decides_once(
    settings: Settings, review: ReviewService, flag: Any
) -> None:
    review.decide([flag(1000 + n, "ann") for n in range(5)], decisions.accept(), "a" * 64)
    flag(1, "ann"), flag(1, "bob")

    def work(_: int) -> int:
        flags = open_feedback(settings)
        made = ReviewService(flags, settings).decide_by_consensus()
        flags.close()
        return len(made)

    with ThreadPoolExecutor(MAINTAINERS) as pool:
        assert sorted(pool.map(work, range(MAINTAINERS))) == [0, 0, 0, 2]
