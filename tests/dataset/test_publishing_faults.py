"""A Hub that is dead, hangs, loses answers, asks for patience or says no: nothing lost, nothing twice."""

from __future__ import annotations

import datetime as dt

import pytest
from support.faults import Fault
from support.publishing import PublishingWorld

from localhub.embedded import serving
from smartbreed.hub import session


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own pauses, of up to eight seconds, are cut short."""
    from huggingface_hub.utils import _http

    class Time:
        time = staticmethod(_http.time.time)
        monotonic = staticmethod(_http.time.monotonic)
        sleep = staticmethod(lambda seconds: None)

    monkeypatch.setattr(_http, "time", Time)
    monkeypatch.setattr(session, "TIMEOUT", session.TIMEOUT)  # so that it is put back after `break_down`


def break_down(world: PublishingWorld, what: str | int, part: str = "", *, after: bool = False) -> None:
    """From now on requests fail; who waits for an answer waits for half a second."""
    world.faults.fault = Fault(what, part, after=after)
    if what == "hang":
        session.TIMEOUT = 0.5


def recovers(world: PublishingWorld, flags: int) -> None:
    """Once all is well, the next attempt that is due publishes everything, each flag once."""
    world.faults.fault = None
    session.TIMEOUT = 20.0
    status = world.status()
    assert status.waiting == world.flags.count() - world.flags.count("published")
    assert status.problem
    assert world.flags.count() == flags
    world.clock.forward(3601)
    report = world.publisher.run()
    assert (report.problem, report.waiting) == (None, 0)
    assert len(world.ids()) == len(set(world.ids())) == flags
    assert world.status().problem is None
    assert world.status().attempts == 0


ADDRESSES = ["", "/api/repos/create", "/preupload/", "/info/lfs/objects/batch", "/commit/", "/paths-info/"]


@pytest.mark.parametrize(
    ("what", "part"),
    [("dead", part) for part in ADDRESSES]
    + [("hang", part) for part in ADDRESSES[::2]]
    + [(503, "/commit/")],
)
def test_a_hub_that_fails_at_any_request(world: PublishingWorld, what: str | int, part: str) -> None:
    world.flag(2)
    break_down(world, what, part)
    report = world.publisher.run()
    assert report.published == 0
    assert report.problem
    status = world.status()
    assert status.waiting == 2
    assert not status.refused
    assert status.next_attempt_at is not None
    assert world.clock.now < status.next_attempt_at <= world.clock.now + dt.timedelta(hours=1)
    assert world.publisher.run().early
    recovers(world, 2)


@pytest.mark.parametrize("what", ["dead", "hang", 500])
def test_a_commit_that_is_applied_and_its_answer_lost(world: PublishingWorld, what: str | int) -> None:
    world.flag(2)
    break_down(world, what, "/commit/", after=True)
    assert world.publisher.run().problem
    assert world.flags.count("published") == 0
    commits = world.commits()
    recovers(world, 2)
    assert world.commits() == commits, "the same bytes again add no commit"


def test_patience_for_an_hour(world: PublishingWorld) -> None:
    """429 with Retry-After for an hour of simulated time: few requests, then everything at once."""
    world.flag(3)
    world.faults.fault = Fault(429, headers={"Retry-After": "600"})
    attempts = 0
    for _ in range(180):
        world.faults.requests.clear()
        world.publisher.run()
        attempts += bool(world.faults.requests)
        world.clock.forward(20)
    assert 2 <= attempts <= 7
    world.flag(2)
    recovers(world, 5)


def test_pauses_grow_and_survive_a_restart(world: PublishingWorld) -> None:
    world.flag()
    world.faults.fault = Fault("dead")
    pauses = []
    for _ in range(12):
        restarted = PublishingWorld(world.settings)
        restarted.clock, restarted.faults.fault = world.clock, world.faults.fault
        restarted.publisher._clock = world.clock
        assert restarted.publisher.run().problem
        at = restarted.status().next_attempt_at
        assert at is not None
        pauses.append((at - world.clock.now).total_seconds())
        world.clock.now = at
    assert pauses[0] < 10
    assert max(pauses) <= 3600
    assert pauses[-1] == 3600
    restarted.faults.fault = None
    recovers(world, 1)


@pytest.mark.parametrize("status", [409, 412])
def test_a_storm_of_conflicts(world: PublishingWorld, status: int) -> None:
    world.flag()
    world.faults.fault = Fault(status, "/commit/", times=4)
    assert world.publisher.run().published == 1
    assert len(world.slept) >= 4
    # One that does not end: noted, and tried again later.
    world.flag()
    world.faults.fault = Fault(status, "/commit/")
    assert world.publisher.run().problem
    recovers(world, 2)


def test_where_others_are_always_faster_the_shard_goes_alone(world: PublishingWorld) -> None:
    world.flag()
    world.publisher.run()
    made = 0

    def others(path: str) -> None:
        nonlocal made
        if "/commit/" in path and made < 20:
            made += 1
            change = world.store.put_text("notes.md", f"{made}".encode())
            world.store.commit(world.repo, "main", [change], title="a note")

    world.flag()
    world.faults.before = others
    report = world.publisher.run()
    assert len(world.ids()) == 2
    assert report.published == 1
    assert world.flags.count("published") == 2
    world.faults.before = None
    world.publisher.run(by_hand=True)
    assert sum(facts["rows"] for facts in world.manifest()["shards"].values()) == 2
    assert "| `flags` | 2 | 2 |" in world.card()


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_waits_for_a_person(world: PublishingWorld, status: int) -> None:
    world.flag()
    world.faults.fault = Fault(
        status, headers={"X-Error-Message": "Invalid credentials in Authorization header"}
    )
    assert "token" in (world.publisher.run().problem or "")
    found = world.status()
    assert found.refused
    assert "HF_TOKEN" in (found.problem or "")
    world.clock.forward(30 * 24 * 3600)
    world.faults.requests.clear()
    assert world.publisher.run().early
    assert world.faults.requests == []
    world.faults.fault = None
    assert world.publisher.run(by_hand=True).published == 1
    assert not world.status().refused


def test_a_shard_the_hub_refuses_is_parked_and_the_others_go_on(world: PublishingWorld) -> None:
    world.flag()
    world.faults.fault = Fault(413, "/commit/")
    assert "large" in (world.publisher.run().problem or "")
    (problem,) = world.status().problems
    assert "413" in problem or "large" in problem
    world.faults.fault = None
    world.flag()
    world.clock.forward(3601)
    assert world.publisher.run(by_hand=False).published == 1
    assert world.publisher.run(by_hand=True).published == 1
    assert len(world.ids()) == 2


def test_a_card_the_hub_refuses_holds_nothing_up(world: PublishingWorld) -> None:
    world.flag()
    world.faults.fault = Fault(400, "/validate-yaml")
    report = world.publisher.run()
    assert report.published == 1
    assert "card" in (report.problem or "")
    world.faults.fault = None
    assert world.publisher.run(by_hand=True).problem is None
    assert "| `flags` | 1 | 1 |" in world.card()


@pytest.mark.parametrize("years", [-3, 3])
def test_a_clock_that_is_wrong(world: PublishingWorld, years: int) -> None:
    world.flag()
    world.clock.forward(years * 365 * 86_400)
    world.faults.fault = Fault(503)
    world.publisher.run()
    world.clock.now = dt.datetime.now(dt.UTC)  # set right meanwhile
    world.faults.fault = None
    world.clock.forward(3601)
    assert world.publisher.run().published == 1
    world.flag()
    world.clock.forward(-years * 365 * 86_400)
    assert world.publisher.run().published == 1
    assert len(world.ids()) == len(set(world.ids())) == 2


def test_offline_is_said_and_does_not_concern_the_embedded_hub(
    world: PublishingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    from smartbreed.dataset.service import open_publisher

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    world.flag()
    away = world.settings.model_copy(update={"hub": "http://127.0.0.1:9"})
    assert "HF_HUB_OFFLINE" in (open_publisher(away, world.flags).run().problem or "")
    assert world.publisher.run(by_hand=True).published == 1


def test_over_a_port(world: PublishingWorld) -> None:
    """The same with a served Hub, and with that server gone."""
    from smartbreed.dataset.service import open_publisher
    from smartbreed.hub.connection import connect

    with serving(world.store) as endpoint:
        over = open_publisher(world.settings.model_copy(update={"hub": endpoint}), world.flags)
        world.flag(2)
        assert over.run().published == 2
    world.flag()
    assert "reached" in (over.run().problem or "")
    assert over.status().waiting == 1
    with serving(world.store, port=int(endpoint.rsplit(":", 1)[1])):
        assert over.run(by_hand=True).published == 1
    assert len(world.ids()) == len(set(world.ids())) == 3
    assert connect(world.settings) is world.api
