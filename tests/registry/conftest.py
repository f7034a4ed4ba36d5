"""A home of its own for each test, with an embedded Hub in it that the real client talks to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbreed.core.settings import Settings, load_settings
from smartbreed.registry.live import LiveModel
from smartbreed.registry.watcher import Watcher


@pytest.fixture(autouse=True)
def _no_hub_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL", "SMARTBREED_HUB"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", threads=1)


@pytest.fixture
def live(settings: Settings) -> LiveModel:
    """The app's model as it is at the first start."""
    return LiveModel(settings)


@pytest.fixture
def watcher(live: LiveModel) -> Watcher:
    """Not started: `Watcher.look` is called by hand."""
    return Watcher(live)


@pytest.fixture
def running(live: LiveModel) -> Iterator[Watcher]:
    """A watcher in its thread, as in the app."""
    watcher = Watcher(live, tick=0.05)
    watcher.start()
    yield watcher
    watcher.stop()
