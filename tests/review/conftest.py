"""A review on a fresh home with a clock of its own, and flags to review."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.clock import Clock
from support.flags import flag as save_flag

from smartbreed.core.settings import Settings, load_settings
from smartbreed.feedback.flags import FlagService, open_feedback
from smartbreed.review.service import ReviewService

Make = Callable[..., str]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("SALT", "DATABASE_URL", "MAINTAINER_PASSWORD", "AGREEMENTS", "DAILY_FLAGS"):
        monkeypatch.delenv(f"SMARTBREED_{name}", raising=False)
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def flags(settings: Settings) -> Iterator[FlagService]:
    opened = open_feedback(settings)
    yield opened
    opened.close()


@pytest.fixture
def review(flags: FlagService, settings: Settings, clock: Clock) -> ReviewService:
    return ReviewService(flags, settings, clock)


@pytest.fixture
def flag(flags: FlagService) -> Make:
    """Flag photo ``seed`` as a Siamese that was taken for a Birman, with what the test wants different."""

    return partial(save_flag, flags, box=(4.0, 4.0, 60.0, 44.0))
