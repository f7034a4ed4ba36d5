"""Photos, requests, a service on a fresh home, and processes that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from smartbreed.core.settings import Settings, load_settings
from smartbreed.feedback.flags import FlagRequest, FlagService, open_feedback


class Nursery:
    """Starts, kills and buries children; see ``child.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, task: str, home: Path, out: Path, **order: Any) -> int:
        return self._ask({"task": task, "home": str(home), "out": str(out), **order})

    def wait(self, pid: int) -> int:
        """Exit status; -9 when it was killed."""
        return self._ask({"wait": pid})

    def kill(self, pid: int) -> int:
        os.kill(pid, signal.SIGKILL)  # still ours: it is not reaped before `wait`
        return self.wait(pid)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    command = [sys.executable, str(Path(__file__).with_name("child.py"))]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    ) as process:
        yield Nursery(process)


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


def photo(seed: int = 0, height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """Coarse noise: different for every seed, and as compressible as a photograph."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return pixels.repeat(8, axis=0).repeat(8, axis=1)


Make = Callable[..., FlagRequest]


@pytest.fixture(scope="session")
def make() -> Make:
    """A valid request ("that is a Siamese"), with what the test wants different."""

    def make(seed: int = 0, **changes: Any) -> FlagRequest:
        values: dict[str, Any] = {
            "pixels": photo(seed),
            "verdict": "wrong",
            "label": "siamese",
            "predicted": "birman",
            "probability": 0.7,
            "species": "cat",
            "pet_index": 1,
            "box": (1.0, 2.0, 30.0, 31.0),
            "model_revision": "0123abc",
            "consent": True,
            "flagger_token": "session-1",
        }
        return FlagRequest(**(values | changes))

    return make
