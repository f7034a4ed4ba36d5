"""The list of releases: a Hub that hangs or fails holds up one caller, not all of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.bundles import make_bundle, publish
from support.clock import PATIENCE_S, Clock

from smartbreed.core.errors import HubCallError
from smartbreed.core.settings import Settings
from smartbreed.hub import client
from smartbreed.registry.release_history import Releases

#: Seconds for which an answer of the Hub is good.
FRESH_S = 5.0


def versions(releases: Releases) -> list[str]:
    return [one.version for one in releases.known()]


def test_a_hub_that_hangs_holds_up_one_caller_only(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, make_bundle(tmp_path / "a", "7.1.0"))
    clock = Clock()
    releases = Releases(settings, clock.seconds)
    assert versions(releases) == ["7.1.0"]
    clock.forward(FRESH_S)
    asked, answer = threading.Event(), threading.Event()

    def hang(*_: Any) -> dict[str, str]:
        asked.set()
        answer.wait(PATIENCE_S)
        raise HubCallError("retry", "The Hub did not answer in time.")

    monkeypatch.setattr(client, "list_tags", hang)
    with ThreadPoolExecutor(8) as pool:
        try:
            first = pool.submit(versions, releases)
            assert asked.wait(PATIENCE_S)
            others = [pool.submit(versions, releases) for _ in range(3)]
            learnt = pool.submit(releases.learnt)
            assert [other.result(30) for other in others] == [["7.1.0"]] * 3
            assert learnt.result(30) == {}
            assert not first.done()
        finally:
            answer.set()
        assert first.result(30) == ["7.1.0"]
    assert releases.problem == "The Hub did not answer in time."


def test_a_hub_that_fails_is_asked_less_and_less_often(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, make_bundle(tmp_path / "a", "7.1.0"))
    clock, asked = Clock(), []
    releases = Releases(settings, clock.seconds)

    def fail(*_: Any) -> dict[str, str]:
        asked.append(clock.seconds())
        raise HubCallError("retry", "The Hub did not answer in time.")

    with monkeypatch.context() as patched:
        patched.setattr(client, "list_tags", fail)
        for _ in range(300):
            assert releases.known() == []
            assert releases.learnt() is None
            clock.forward(1)
        pauses = [late - early for early, late in pairwise(asked)]
        assert pauses[:4] == [10, 20, 40, 60]
        assert set(pauses[4:]) == {60}
    clock.forward(60)
    assert versions(releases) == ["7.1.0"], "the Hub answers again"
    publish(settings, make_bundle(tmp_path / "b", "7.2.0", turn=1))
    clock.forward(FRESH_S)
    assert versions(releases) == ["7.2.0", "7.1.0"], "and is asked as often as before"


def test_a_release_made_here_is_seen_at_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, make_bundle(tmp_path / "a", "7.1.0"))
    clock = Clock()
    releases = Releases(settings, clock.seconds)
    assert versions(releases) == ["7.1.0"]
    publish(settings, make_bundle(tmp_path / "b", "7.2.0", turn=1))
    assert versions(releases) == ["7.1.0"]
    releases.forget()
    assert versions(releases) == ["7.2.0", "7.1.0"]
    # The Hub has answered before the next release, and the answer arrives after it.
    clock.forward(FRESH_S)
    list_tags = client.list_tags

    def slowly(*asked: Any) -> dict[str, str]:
        tags = list_tags(*asked)
        publish(settings, make_bundle(tmp_path / "c", "7.3.0", turn=2))
        releases.forget()
        return tags

    with monkeypatch.context() as patched:
        patched.setattr(client, "list_tags", slowly)
        assert versions(releases) == ["7.2.0", "7.1.0"]
    assert versions(releases) == ["7.3.0", "7.2.0", "7.1.0"]
