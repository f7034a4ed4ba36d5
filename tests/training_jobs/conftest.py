"""Job control against a small fake trainer in a real process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import FAKE_TRAINER

from smartbreed.core.settings import Settings, load_settings
from smartbreed.training_jobs.jobs import Jobs


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def trainer(settings: Settings) -> Iterator[Callable[[str], Jobs]]:
    """Jobs whose trainer does what is said; everything it started is stopped at the end."""
    made: list[Jobs] = []

    def make(what: str) -> Jobs:
        made.append(Jobs(settings, [*FAKE_TRAINER, what]))
        return made[-1]

    yield make
    for jobs in made:
        jobs.cancel(0.5)
        jobs.close(0.5)
