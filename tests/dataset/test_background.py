"""The thread of the app: it starts late, runs when it should, and blocks no request."""

from __future__ import annotations

import threading
import time

import pytest
from support.clock import until
from support.faults import Fault
from support.publishing import PublishingWorld

from smartbreed.dataset import service
from smartbreed.dataset.publisher import Report
from smartbreed.dataset.service import BackgroundPublisher


def test_what_waited_goes_at_once_and_what_comes_goes_at_the_end(world: PublishingWorld) -> None:
    world.flag(2)
    running = BackgroundPublisher(world.publisher, every_s=3600, size=50)
    running.start()
    until(lambda: world.flags.count("published") == 2)
    world.flag()
    running.stop(200)
    assert len(world.ids()) == 3


def test_enough_flags_do_not_wait_for_the_interval(
    world: PublishingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_LOOK_S", 0.05)
    running = BackgroundPublisher(world.publisher, every_s=3600, size=3)
    world.flag()
    running.start()
    until(lambda: world.flags.count("published") == 1)
    world.flag(2)
    time.sleep(0.3)
    assert world.flags.count("published") == 1
    world.flag()
    until(lambda: world.flags.count("published") == 4)
    running.stop(200)


def test_zero_means_never(world: PublishingWorld) -> None:
    world.flag(100)
    running = BackgroundPublisher(world.publisher, every_s=0, size=1)
    running.start()
    running.stop(5)
    assert world.flags.count("published") == 0
    assert world.faults.requests == []


def test_a_hub_that_hangs_holds_up_neither_flags_nor_the_end(world: PublishingWorld) -> None:
    world.faults.fault = Fault("hang")
    world.flag()
    running = BackgroundPublisher(world.publisher, every_s=3600, size=50)
    running.start()
    until(lambda: bool(world.faults.requests))
    assert world.flag()[0].created, "saving goes on meanwhile"
    running.stop(0.2)
    assert world.status().waiting == 2


def test_whatever_goes_wrong_the_thread_goes_on(world: PublishingWorld) -> None:
    failed = threading.Event()
    real = world.publisher.run

    def fail() -> Report:
        if not failed.is_set():
            failed.set()
            raise ZeroDivisionError
        return real()

    world.publisher.run = fail  # type: ignore[assignment,method-assign]
    running = BackgroundPublisher(world.publisher, every_s=0.05, size=50)
    world.flag()
    running.start()
    until(lambda: world.flags.count("published") == 1)
    running.stop(200)
