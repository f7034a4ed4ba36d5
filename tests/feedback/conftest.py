"""A service on a fresh home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbreed.core.settings import Settings, load_settings
from smartbreed.feedback.flags import FlagService, open_feedback


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("SMARTBREED_SALT", "SMARTBREED_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def service(settings: Settings) -> Iterator[FlagService]:
    opened = open_feedback(settings)
    yield opened
    opened.close()
