"""Whether other breeds are sent: how often the alarm is wrong, what it finds, and that it reaches people."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from counting import Clock, answer, pet

from benchmarks.breed_mix import Setting, changed_shares, states, usual_shares
from smartbreed import feedback_loop
from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.statistics import csv_tables
from smartbreed.statistics.breed_mix import FIRST_DAYS, LEAST_DAYS, OTHERS, RECENT_DAYS, compared_mix
from smartbreed.statistics.drift import ALARM, LEAST
from smartbreed.statistics.report import ForMaintainers, for_maintainers
from smartbreed.statistics.usage import Recorder

FIRST = dt.date(2026, 1, 5)

Counts = dict[tuple[dt.date, str], int]


def steady(days: int, a_day: int = 10, breeds: tuple[str, ...] = ("pug", "beagle")) -> Counts:
    return {
        (FIRST + dt.timedelta(days=day), breed): a_day // len(breeds)
        for day in range(days)
        for breed in breeds
    }


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = Services(load_settings(home=tmp_path / "home", hub="embedded", salt="a salt"))
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("setting", "times", "plain"),
    [(Setting(5, 88, keen=False), 50, 40), (Setting(20, 28, keen=True), 40, 38)],
)
def test_the_alarm_is_seldom_false_where_the_usual_limit_nearly_always_is(
    setting: Setting, times: int, plain: int
) -> None:
    found = states(setting, usual_shares(), times)
    assert found["plain"] >= plain, "what 0.25 alone would say"
    assert found["alarm"] <= 1, "of a thousand 0 to 10 (benchmarks.breed_mix)"
    assert found["watch"] <= times // 10
    assert found["few"] == 0


def test_a_breed_that_rises_to_an_eighth_is_found() -> None:
    assert states(Setting(100, 88, keen=False), changed_shares(), 5)["alarm"] == 5


def test_the_same_counts_are_judged_the_same_and_a_day_that_is_unlike_raises_no_alarm() -> None:
    today = FIRST + dt.timedelta(days=59)
    counts = steady(60)
    one = compared_mix(counts, FIRST, today)
    assert (one.state, one.index) == ("stable", pytest.approx(0, abs=1e-3))
    assert (one.pets, one.before, one.days) == (RECENT_DAYS * 10, 320, 32)
    crowd = {**counts, (today, "siamese"): 400}
    burst = compared_mix(crowd, FIRST, today)
    assert burst == compared_mix(dict(reversed(crowd.items())), FIRST, today)
    assert burst.index is not None
    assert burst.index > 10 * ALARM
    assert burst.state != "alarm", "one day of one person says nothing of the days to come"
    lasting = {
        **counts,
        **{(today - dt.timedelta(days=ago), "siamese"): 15 for ago in range(RECENT_DAYS)},
    }
    found = compared_mix(lasting, FIRST, today)
    assert found.state == "alarm"
    assert found.breeds[0] == "siamese"
    assert (found.expected[0], found.found[0]) == (0, 15 * RECENT_DAYS)
    assert found.index is not None
    assert found.alarm_from is not None
    assert found.index >= found.alarm_from >= ALARM


@pytest.mark.parametrize(
    ("days", "a_day"),
    [(RECENT_DAYS + LEAST_DAYS - 1, 20), (200, LEAST // RECENT_DAYS), (1, 5000), (RECENT_DAYS, 100)],
)
def test_too_little_says_nothing(days: int, a_day: int) -> None:
    found = compared_mix(steady(days, a_day - a_day % 2), FIRST, FIRST + dt.timedelta(days=days - 1))
    assert (found.state, found.index, found.alarm_from) == ("few", None, None)
    assert compared_mix({}, FIRST, FIRST).breeds == ()


def test_it_compares_with_the_first_days_and_pools_what_is_rare() -> None:
    days = 200
    today = FIRST + dt.timedelta(days=days - 1)
    counts = {**steady(days, 20), (today, "boxer"): 19, (FIRST + dt.timedelta(days=120), "akita"): 10_000}
    found = compared_mix(counts, FIRST, today)
    assert found.days == FIRST_DAYS
    assert set(found.breeds) == {"pug", "beagle", OTHERS}
    assert sum(found.expected) == found.before == FIRST_DAYS * 20
    assert sum(found.found) == found.pets == RECENT_DAYS * 20 + 19
    assert dict(zip(found.breeds, found.found, strict=True))[OTHERS] == 19


def sixty_days(services: Services, lately: str) -> ForMaintainers:
    """Ten pets a day for sixty days, of another breed in the last four weeks; counted as the app counts."""
    clock, version = Clock(), services.identifier.bundle.config.version
    recorder = Recorder(lambda: services.flags.sessions, clock=clock)
    for day in range(60):
        for number in range(10):
            breed = lately if day >= 60 - RECENT_DAYS else ("pug", "boxer")[number % 2]
            recorder.note(answer(pet(breed), version=version), "page")
            recorder.note(answer(pet("beagle"), version="0.0.1"), "page")
        clock.now += dt.timedelta(days=1)
    assert recorder.write()
    today = (clock.now - dt.timedelta(days=1)).date()
    return for_maintainers(services.flags.sessions, services.baseline, today)


def test_a_change_reaches_a_maintainer_with_its_numbers(services: Services) -> None:
    own = sixty_days(services, "siamese")
    assert own.mix.state == "alarm"
    assert own.alarm
    columns, rows = csv_tables.MAINTAINERS["mix"](own)
    assert columns == ("breed", "name", "before", "lately")
    assert rows[0] == ("siamese", "Siamese", 0, 280)
    assert Counter({row[0]: row[2] for row in rows}) == {"siamese": 0, "pug": 160, "boxer": 160}
    assert ForMaintainers.model_validate_json(own.model_dump_json()) == own


def test_the_answers_of_other_versions_do_not_count(services: Services) -> None:
    own = sixty_days(services, "pug")
    assert "beagle" not in own.mix.breeds
    assert own.mix.pets == 280


def test_a_fresh_app_has_nothing_to_compare(services: Services) -> None:
    own = feedback_loop.statistics_for_maintainers(services)
    assert (own.mix.state, own.mix.pets, own.names) == ("few", 0, {})
    assert csv_tables.MAINTAINERS["mix"](own)[1] == []
    assert np.isfinite(own.mix.days)
