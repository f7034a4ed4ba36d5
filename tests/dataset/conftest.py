"""An installation with an embedded Hub of its own, and publishing processes that may be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.world import World

from smartbreed.core.settings import Settings, load_settings
from smartbreed.feedback.flags import FlagRequest

Make = Callable[..., FlagRequest]


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
def world(settings: Settings) -> Iterator[World]:
    made = World(settings)
    yield made
    made.close()


class Nursery:
    """Starts, kills and buries publishing processes; see ``child.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **order: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, home: Path, **order: Any) -> int:
        return self.ask(home=str(home), **order)

    def wait(self, pid: int) -> int:
        """Exit status; -9 when it was killed."""
        return self.ask(wait=pid)

    def publish(self, home: Path, **order: Any) -> int:
        return self.wait(self.start(home, **order))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    here = Path(__file__).parent
    root = here.parents[1]
    with subprocess.Popen(
        [sys.executable, str(here / "child.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root}/tests", "HF_HUB_DISABLE_TELEMETRY": "1"},
    ) as process:
        yield Nursery(process)
