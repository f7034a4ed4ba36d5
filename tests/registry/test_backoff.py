"""Between noticing a release and serving it: trials without a verdict, other choices meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.bundles import EMBEDDED, make_bundle, publish
from support.clock import Clock

from smartbreed.core.settings import Settings
from smartbreed.inference.bundle import Bundle, load_bundle
from smartbreed.registry import pinning, smoke_test
from smartbreed.registry.live import LiveModel
from smartbreed.registry.smoke_test import InconclusiveError, try_out
from smartbreed.registry.watcher import FIRST_S, LONGEST_S, Backoff, Watcher


@pytest.fixture
def out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trial is killed at once, as the kernel does it when the memory runs out."""
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))


def test_a_trial_that_was_killed_is_made_again_later(
    live: LiveModel, settings: Settings, tmp_path: Path, out_of_memory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    watcher = Watcher(live, backoff=Backoff(clock.seconds))
    publish(settings, make_bundle(tmp_path / "good", "7.1.0"))
    watcher.check()
    assert (live.status().version, live.status().rejected) == (EMBEDDED, ())
    assert "tried again later" in live.status().problem
    with pytest.raises(InconclusiveError):  # and nothing is held against it when a maintainer asks
        live.use("7.1.0")
    assert (live.status().pin, live.status().rejected) == ("", ())
    monkeypatch.undo()
    watcher.check()
    assert live.status().version == EMBEDDED, "too soon"
    live.use("7.1.0")
    watcher.check()
    assert live.status().version == "7.1.0", "a maintainer asked for it, and it was tried to the end"
    live.use(EMBEDDED)
    watcher.check()
    live.use("latest")
    watcher.check()
    assert live.status().version == EMBEDDED, "still too soon by itself"
    clock.forward(FIRST_S)
    watcher.check()
    assert (live.status().version, live.status().problem) == ("7.1.0", "")


def test_a_trial_that_takes_too_long_says_nothing_about_the_model(tmp_path: Path) -> None:
    bundle = load_bundle(make_bundle(tmp_path / "good", "7.1.0"))
    with pytest.raises(InconclusiveError, match="in 0 seconds"):
        try_out(bundle, timeout=0.01)


def test_each_try_waits_twice_as_long() -> None:
    clock = Clock()
    backoff = Backoff(clock.seconds)
    pauses = []
    for _ in range(12):
        backoff.put_off("a")
        started = clock.seconds()
        while backoff.too_soon("a"):
            clock.forward(30)
        pauses.append(clock.seconds() - started)
    assert pauses[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert pauses[-1] == LONGEST_S
    assert not backoff.too_soon("b")
    backoff.put_off("a")
    backoff.forget("a")
    assert not backoff.too_soon("a")


def test_a_choice_made_while_a_release_is_tried_counts(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))

    def meanwhile(bundle: Bundle, timeout: float = 0.0) -> None:
        pinning.use(settings, EMBEDDED)

    monkeypatch.setattr(smoke_test, "try_out", meanwhile)
    swap = live.swap

    def watched(*arguments: object) -> None:
        swap(*arguments)  # type: ignore[arg-type]
        served.append(live.status().version)

    monkeypatch.setattr(live, "swap", watched)
    watcher.check()
    watcher.check()
    assert set(served) <= {EMBEDDED}, "the newest answered although another one was chosen"
    assert (live.status().version, live.status().pin) == (EMBEDDED, EMBEDDED)


def test_another_pin_while_one_is_fetched_counts(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn, version in enumerate(("7.1.0", "7.2.0"), 1):
        publish(settings, make_bundle(tmp_path / version, version, turn=turn))
        watcher.check()
    live.use("7.1.0")
    opened = watcher._open

    def meanwhile(pin: object) -> Bundle:
        monkeypatch.setattr(watcher, "_open", opened)
        live.use("latest")
        return opened(pin)  # type: ignore[arg-type]

    monkeypatch.setattr(watcher, "_open", meanwhile)
    watcher.check()
    assert live.status().version == "7.2.0"
