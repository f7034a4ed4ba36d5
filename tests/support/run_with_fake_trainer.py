"""``smartbreed …`` with the fake trainer in the place of the real one.

What it is to do stands in ``SMARTBREED_HOME/fake-trainer``, so a test can change its mind.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from smartbreed import services
from smartbreed.cli.main import main
from smartbreed.training_jobs.job import Job
from smartbreed.training_jobs.jobs import Jobs

FAKE = Path(__file__).with_name("fake_trainer.py")
WANTED = Path(os.environ["SMARTBREED_HOME"]) / "fake-trainer"


class FakeJobs(Jobs):
    """Asks the file at each start."""

    def start(self, *arguments: Any, **options: Any) -> Job:
        self._command = [sys.executable, str(FAKE), WANTED.read_text().strip() if WANTED.exists() else "ok"]
        return super().start(*arguments, **options)


if __name__ == "__main__":
    services.Jobs = FakeJobs  # type: ignore[misc]
    services.Services.needs = lambda self: {}  # type: ignore[method-assign]  # it needs no photos
    main()
