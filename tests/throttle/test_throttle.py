"""Limits that all replicas share: what one counted, the others have counted."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.clock import Clock
from support.flags import flag_request
from support.nursery import Nursery

from smartbreed.core.database import Sessions, read
from smartbreed.core.errors import AccountError, FlagError, MaintainerError, StorageError
from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import FlagService, open_feedback
from smartbreed.feedback.limits import Limits
from smartbreed.services import Services
from smartbreed.throttle.callers import network_of
from smartbreed.throttle.counts import sweep
from smartbreed.throttle.login_throttle import FORGOTTEN_S, SLOW_S, LoginThrottle
from smartbreed.throttle.rate import STRETCH_S, Rate
from smartbreed.throttle.tables import UseCount, WrongTries

HOUR_S = 3600
PASSWORD = "correct horse battery"
Opened = Callable[[], FlagService]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Opens the home once more, as another process would: with an engine of its own."""
    services: list[FlagService] = []

    def another() -> FlagService:
        services.append(open_feedback(load_settings(home=tmp_path / "home", salt="a salt", hub="embedded")))
        return services[-1]

    yield another
    for service in services:
        service.close()


def rate(flags: FlagService, clock: Clock, most: int = 3, name: str = "games") -> Rate:
    return Rate(name, most, lambda: flags.sessions, lambda: b"a salt", clock.seconds)


def rows(sessions: Sessions) -> int:
    with read(sessions) as session:
        return sum(
            session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (UseCount, WrongTries)
        )


def test_two_replicas_share_one_limit(opened: Opened) -> None:
    clock = Clock()
    here, there = rate(opened(), clock), rate(opened(), clock)
    assert [here.take("ann"), there.take("ann"), here.take("ann")] == [True, True, True]
    assert not there.take("ann")
    assert not here.take("ann")
    assert there.take("ben"), "another one has a limit of their own"
    for limit in (here, there, here):
        limit.check("2001:db8::1")
    with pytest.raises(AccountError) as refused:
        there.check("2001:db8::2")  # of the same network
    assert (refused.value.code, refused.value.status) == ("too_many", 429)


def test_a_use_counts_for_an_hour_and_a_refused_one_not_at_all(opened: Opened) -> None:
    clock = Clock()
    flags = opened()
    limit = rate(flags, clock)
    for _ in range(3):
        assert limit.take("ann")
        clock.forward(1200)
    assert not limit.take("ann")
    clock.forward(STRETCH_S)
    assert limit.take("ann"), "the first is more than an hour old"
    before = rows(flags.sessions)
    for _ in range(50):
        assert not limit.take("ann")
    assert rows(flags.sessions) == before == 4, "one row a stretch of time, none for what was refused"
    clock.forward(1200 - STRETCH_S)
    assert not limit.take("ann")
    clock.forward(STRETCH_S)
    assert limit.take("ann")


def test_limits_of_different_names_are_apart(opened: Opened) -> None:
    clock, flags = Clock(), opened()
    games, messages = rate(flags, clock, 1), rate(flags, clock, 1, "messages")
    assert games.take("ann")
    assert messages.take("ann")
    assert not games.take("ann")


def test_of_many_at_once_only_so_many_pass(opened: Opened) -> None:
    clock = Clock()
    limits = [rate(opened(), clock, 5) for _ in range(2)]
    passed: list[bool] = []
    crowd = [
        threading.Thread(target=lambda one=one: passed.append(limits[one % 2].take("ann")))  # type: ignore[misc]
        for one in range(16)
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(60)
    assert sorted(passed) == [False] * 11 + [True] * 5


def test_two_processes_share_one_limit(nursery: Nursery, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    children = [nursery.start("take", home, out=out, most=7, times=6) for _ in range(2)]
    assert [nursery.wait(pid) for pid in children] == [0, 0]
    assert out.read_text().splitlines() == ["taken"] * 7


def throttle(flags: FlagService, clock: Clock, name: str = "members") -> LoginThrottle:
    return LoginThrottle(name, lambda: flags.sessions, lambda: b"a salt", clock.seconds, clock.forward)


def wait(throttle: LoginThrottle, clock: Clock, right: bool, device: str = "") -> float:
    """Seconds that a try takes."""
    before = clock.seconds()
    assert throttle.compare("1.2.3.4", lambda: right, device) is right
    return clock.seconds() - before


def test_a_wrong_password_at_one_replica_slows_the_next_try_at_another(opened: Opened) -> None:
    clock = Clock()
    here, there = throttle(opened(), clock), throttle(opened(), clock)
    assert wait(here, clock, False) == 0
    assert wait(there, clock, False) == SLOW_S
    for _ in range(6):  # by turns: the pause grows with all of them
        wait(here, clock, False)
        wait(there, clock, False)
    clock.forward(4000)
    wait(here, clock, False)
    clock.forward(600)
    assert wait(there, clock, True) == SLOW_S
    assert wait(here, clock, False) == 0, "the right one, given elsewhere, forgets the wrong ones"
    assert wait(throttle(opened(), clock, "maintainers"), clock, False) == 0, "of another password"


def test_a_browser_that_signed_in_before_is_known_at_all_replicas_for_ten_tries(opened: Opened) -> None:
    clock = Clock()
    both = [throttle(opened(), clock), throttle(opened(), clock)]
    for _ in range(20):  # of the address, which others share
        wait(both[0], clock, False)
    assert wait(both[1], clock, True, "a browser") == 0
    for number in range(10):
        wait(both[number % 2], clock, False, "a browser")
    clock.forward(1000)  # the browser's own pause is over, the address's is not
    assert wait(both[1], clock, True, "a browser") == SLOW_S


def test_the_gate_of_maintainers_counts_for_all(opened: Opened, tmp_path: Path) -> None:
    clock = Clock()
    settings = load_settings(
        home=tmp_path / "home", salt="a salt", maintainer_password=PASSWORD, hub="embedded"
    )
    gates = [Services(settings).maintainers for _ in range(2)]
    for gate in gates:
        gate._throttle._clock, gate._throttle._pause = clock.seconds, clock.forward
    with pytest.raises(MaintainerError, match="not the password"):
        gates[0].log_in("wrong", "1.2.3.4")
    before = clock.seconds()
    assert gates[1].log_in(PASSWORD, "1.2.3.4")
    assert clock.seconds() - before == SLOW_S


def test_flags_of_an_address_count_in_every_process(opened: Opened) -> None:
    def limited() -> FlagService:
        flags = opened()
        return FlagService(flags.sessions, flags.blobs, b"a salt", Limits(client=3))

    services = [limited(), limited()]
    for number in range(3):  # each as another person, as through the API
        services[number % 2].save(flag_request(number, flagger_token=f"photo {number}"), "203.0.113.7")
    for service in services:
        with pytest.raises(FlagError) as refused:
            service.save(flag_request(7, flagger_token="photo 7"), "203.0.113.7")
        assert refused.value.code == "too_many_flags"
        assert not service.save(flag_request(0, flagger_token="photo 0"), "203.0.113.7").created
    assert services[0].save(flag_request(8, flagger_token="photo 8"), "203.0.113.8").created


def test_what_counts_no_more_is_swept_and_nothing_else(opened: Opened) -> None:
    clock, flags = Clock(), opened()
    limit, slow = rate(flags, clock), throttle(flags, clock)
    limit.take("ann")
    wait(slow, clock, False)
    assert (sweep(flags.sessions, clock()), rows(flags.sessions)) == (0, 2)
    clock.forward(HOUR_S + STRETCH_S)
    assert (sweep(flags.sessions, clock()), rows(flags.sessions)) == (1, 1)
    assert sweep(flags.sessions, clock()) == 0
    clock.forward(FORGOTTEN_S)
    assert wait(slow, clock, False) == 0, "a day later it begins anew, whether or not it was swept"
    assert rows(flags.sessions) == 1
    clock.forward(FORGOTTEN_S)
    assert (sweep(flags.sessions, clock()), rows(flags.sessions)) == (1, 0)


def test_the_running_app_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise StorageError("The database refused.")

    services = Services(load_settings(home=tmp_path / "home", salt="a salt", hub="embedded"))
    past = Clock(dt.datetime.now(dt.UTC) - dt.timedelta(days=2))
    try:
        assert services.rate("games", 3, past.seconds).take("ann")
        assert services.rate("games", 3).take("ann")
        # What a file manager leaves is no model, and a step that fails keeps no other from its work.
        (tmp_path / "home" / "teach").mkdir()
        (tmp_path / "home" / "teach" / ".DS_Store").write_bytes(b"x")
        monkeypatch.setattr(services.messages, "forget_old", refuse)
        services._go_on_with_deletions()
        assert (tmp_path / "home" / "teach" / ".DS_Store").exists()
        assert rows(services.flags.sessions) == 1
    finally:
        services.stop()


def test_neither_an_address_nor_a_name_is_kept(opened: Opened) -> None:
    clock, flags = Clock(), opened()
    rate(flags, clock).check("203.0.113.77")
    rate(flags, clock).take("rosa@example.org")
    throttle(flags, clock).compare("203.0.113.77", lambda: False)
    throttle(flags, clock).compare("203.0.113.77", lambda: False, "the name of a browser")
    with read(flags.sessions) as session:
        keys = [*session.scalars(sa.select(UseCount.key)), *session.scalars(sa.select(WrongTries.key))]
    assert len(keys) == 4
    assert all(len(key) == 64 and int(key, 16) for key in keys), keys


@pytest.mark.parametrize(
    ("caller", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
    ],
)
def test_who_counts_as_one_caller(caller: str, network: str) -> None:
    assert network_of(caller) == network
