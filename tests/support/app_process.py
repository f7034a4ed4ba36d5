"""An app that starts a retraining and waits to be killed: prints the job's id."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from smartbreed.core.settings import load_settings
from smartbreed.training_jobs.jobs import Jobs

FAKE = Path(__file__).with_name("fake_trainer.py")

jobs = Jobs(load_settings(home=Path(sys.argv[1])), [sys.executable, str(FAKE), sys.argv[2]])
print(jobs.start().spec.id, flush=True)
time.sleep(60)
