"""What starts a retraining without a hand, and what does not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from support.clock import until

from smartbreed.core.errors import StorageError
from smartbreed.training_jobs.job import Job, JobSpec
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.training_jobs.progress import Progress, Result
from smartbreed.training_jobs.triggers import Triggers, due

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def never(trigger: str) -> Job:
    raise AssertionError(f"started by {trigger}")


def past(state: str, hours: float, accepted: int = 0, took: int | None = None) -> Job:
    start = NOW - dt.timedelta(hours=hours)
    spec = JobSpec("20261121T100000Z-abcdef", "head", True, "hand", start, accepted)
    result = Result(state == "released", state == "released", took=took) if took is not None else None
    return Job(spec, state, Progress(result=result), ended_at=None if state == "running" else start)


@pytest.mark.parametrize(
    ("waiting", "last", "after", "every_h", "expected"),
    [
        (0, None, 1, 1.0, None),
        (9, None, 10, 0.0, None),
        (10, None, 10, 0.0, "count"),
        (10, past("running", 0.1), 10, 1.0, None),
        (10, past("released", 0.1, 10), 10, 0.0, "count"),  # those ten are new: the others were learnt
        (10, past("refused", 5, 10), 10, 0.0, None),  # the gate has seen these ten
        (19, past("refused", 5, 10), 10, 0.0, None),
        (20, past("refused", 5, 10), 10, 0.0, "count"),
        (10, past("lost", 0.5, 10), 10, 0.0, None),
        (10, past("lost", 1.5, 10), 10, 0.0, "count"),  # it was not for want of photos
        (10, past("cancelled", 5, 10), 10, 0.0, None),
        (1, None, 0, 24.0, "schedule"),
        (1, past("refused", 23.9), 0, 24.0, None),
        (1, past("refused", 24.0), 0, 24.0, "schedule"),
        (10, past("refused", 48.0, 10), 0, 24.0, None),  # the same ten would be refused again
        (11, past("refused", 48.0, 10), 0, 24.0, "schedule"),
        (10, past("cancelled", 48.0, 10), 0, 24.0, None),
        (10, past("lost", 48.0, 10), 0, 24.0, "schedule"),
        # Of forty, thirty were over one person's share or of breeds with too few: they wait on.
        (30, past("released", 5, 40, took=10), 25, 0.0, None),
        (30, past("released", 48, 40, took=10), 0, 24.0, None),
        (54, past("released", 5, 40, took=10), 25, 0.0, None),
        (55, past("released", 5, 40, took=10), 25, 0.0, "count"),
        (10, past("released", 0.001, 10), 10, 0.0, None),  # the new version may not be listed yet
        (10_000, None, 0, 0.0, None),
    ],
)
def test_what_is_due(
    waiting: int, last: Job | None, after: int, every_h: float, expected: str | None
) -> None:
    assert due(waiting, last, after=after, every_h=every_h, now=NOW) == expected


def test_enough_accepted_photos_start_one_and_only_one(trainer: Callable[[str], Jobs]) -> None:
    jobs = trainer("refused")
    triggers = Triggers(jobs, lambda: 12, lambda name: jobs.start(trigger=name, accepted=12), after=10)
    job = triggers.check()
    assert job is not None
    assert (job.spec.trigger, job.spec.accepted) == ("count", 12)
    assert triggers.check() is None  # it runs
    jobs.wait(job.spec.id, 30)
    assert triggers.check() is None  # and these twelve were not enough


def test_photos_that_others_learnt_are_not_counted_against_new_ones(trainer: Callable[[str], Jobs]) -> None:
    jobs, waiting, started = trainer("refused"), [100], list[str]()

    def start(name: str) -> Job:
        started.append(name)
        return jobs.start(trigger=name, accepted=waiting[0])

    triggers = Triggers(jobs, lambda: waiting[0], start, after=10)
    job = triggers.check()
    assert job is not None
    jobs.wait(job.spec.id, 30)
    for waiting[0] in (100, 109, 5, 14):  # another machine has learnt a hundred and four
        triggers.check()
    assert started == ["count"]
    waiting[0] = 15
    again = triggers.check()
    assert again is not None
    jobs.wait(again.spec.id, 30)


def test_the_webhook_makes_it_look_at_once(trainer: Callable[[str], Jobs]) -> None:
    jobs, waiting = trainer("hang"), [0]
    triggers = Triggers(
        jobs, lambda: waiting[0], lambda name: jobs.start(trigger=name), after=3, check_every_s=3600.0
    )
    assert not triggers.check_soon()  # it does not run yet
    triggers.start()
    try:
        waiting[0] = 3
        until(triggers.check_soon)
        until(jobs.current)
        job = jobs.current()
        assert job is not None
        assert job.spec.trigger in ("webhook", "count")
    finally:
        triggers.stop()


def test_without_a_count_a_webhook_does_nothing(trainer: Callable[[str], Jobs]) -> None:
    triggers = Triggers(trainer("ok"), lambda: 99, never)
    triggers.start()
    assert not triggers.active
    assert not triggers.check_soon()
    triggers.stop()


def test_a_database_that_cannot_be_asked_stops_nothing(trainer: Callable[[str], Jobs]) -> None:
    def refuse() -> int:
        raise StorageError("The database refused: it is busy; try again in a moment.")

    assert Triggers(trainer("ok"), refuse, never, after=1).check() is None
