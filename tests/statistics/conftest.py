"""A fresh database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import FlagService, open_feedback


@pytest.fixture
def flags(tmp_path: Path) -> Iterator[FlagService]:
    opened = open_feedback(load_settings(home=tmp_path / "home", hub="embedded", salt="a salt"))
    yield opened
    opened.close()
