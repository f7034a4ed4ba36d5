"""An installation with an embedded Hub of its own, and publishing processes that may be killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.publishing import PublishingWorld

from smartbreed.core.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the caches, tokens and settings of the person who runs it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HF_ENDPOINT", "SMARTBREED_SALT", "SMARTBREED_DATABASE_URL", "SMARTBREED_HUB"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def world(settings: Settings) -> Iterator[PublishingWorld]:
    made = PublishingWorld(settings)
    yield made
    made.close()
