"""A review on a fresh home with a clock of its own, and flags to review."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.photos import photo

from smartbreed.core.settings import Settings, load_settings
from smartbreed.feedback.flags import FlagRequest, FlagService, open_feedback
from smartbreed.review.service import ReviewService

MAINTAINER = "a" * 64


class Clock:
    """A time that moves on demand."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def sleep(self, **length: float) -> None:
        self.now += dt.timedelta(**length)


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

    def make(seed: int = 0, who: str = "ann", **changes: Any) -> str:
        values: dict[str, Any] = {
            "pixels": photo(seed),
            "verdict": "wrong",
            "label": "siamese",
            "predicted": "birman",
            "probability": 0.7,
            "species": "cat",
            "pet_index": 1,
            "box": (4.0, 4.0, 60.0, 44.0),
            "model_revision": "0123abc",
            "consent": True,
            "flagger_token": who,
        }
        return flags.save(FlagRequest(**(values | changes))).flag_id

    return make
