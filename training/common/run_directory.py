"""The folder of a training run: its recipe, what it did, and which stages are complete.

::

    config.yaml       the recipe, every default written out
    log.jsonl         one JSON object for every line the run printed
    stages/NAME.json  the marker of a stage: whether it is complete, and with which choices
    scores.json, plots/, prepared/, backup/, *.weights.h5, tensorboard/, bundle/

A stage without a marker, or whose marker names other choices, counts as not done. Markers are never removed.
When an earlier stage has run again, the markers of later stages change to `STALE`, so that their old output
is recognised and cleared before they begin again.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from smartbreed.core.files import disk_errors, only_holder, replace_durably, write_tmp
from training.common.errors import StageError

#: Cost of a training step per picture, in forward passes: one forward, and a backward pass of about two.
TRAINED = 3.0
#: Written to a marker instead of the stage's choices: the output is left over from an earlier run.
STALE = "stale"


class RunDirectory:
    """One run's folder.

    Args:
        folder: path of the run directory; created if missing.
        quiet: print nothing; the log is still written.
        watch: called about a hundred times per stage with the share of its work that is done, 0…1, and
            a sentence.
    """

    def __init__(
        self, folder: Path, *, quiet: bool = False, watch: Callable[[float, str], None] | None = None
    ) -> None:
        self.folder, self.quiet, self.stage, self.watch = folder, quiet, "", watch
        self._expected, self._done, self._shown = 0.0, 0.0, -1.0
        with disk_errors("The run directory was not made"):
            (folder / "stages").mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run directory against other processes while the block runs.

        Raises:
            StageError: another process holds the lock.
            StorageError: the lock file could not be written.
        """
        with ExitStack() as stack:
            with disk_errors("The run directory was not locked"):
                alone = stack.enter_context(only_holder(self / ".lock"))
            if not alone:
                raise StageError(f"Another process is working in this run directory. Received: {self.folder}")
            yield

    def write(self, name: str, data: bytes) -> Path:
        """Write a file atomically and sync it to disk.

        Raises:
            StorageError: the file could not be written.
        """
        path = self / name
        with disk_errors(f"{name} of the run was not written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(write_tmp(path.parent, path.name, data), path)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """Write a value as indented JSON; see `write`."""
        return self.write(name, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the run; None if it does not exist."""
        path = self / name
        return json.loads(path.read_text()) if path.is_file() else None

    def say(self, message: str, **figures: Any) -> None:
        """Print one line to stderr and append it, with ``figures``, to ``log.jsonl``."""
        entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "stage": self.stage}
        line = json.dumps({**entry, "message": message, **figures}, ensure_ascii=False, default=float)
        with disk_errors("log.jsonl of the run was not written"), (self / "log.jsonl").open("a") as file:
            file.write(line + "\n")
        if not self.quiet:
            minutes, seconds = divmod(round(time.monotonic() - self._started), 60)
            print(f"[{minutes:02d}:{seconds:02d}] {self.stage:<9} {message}", file=sys.stderr, flush=True)

    def expect(self, work: float) -> None:
        """Start the progress count of a stage.

        Args:
            work: total work in forward passes of one picture; a training step counts as `TRAINED` of them
                for each of its pictures.
        """
        self._expected, self._done, self._shown = max(work, 1.0), 0.0, -1.0

    def advance(self, work: float, message: str) -> None:
        """Add to the work done so far and report progress.

        Args:
            work: additional work, in the unit of `expect`.
            message: what is being done, as a sentence for the user.
        """
        self._done += work
        share = min(1.0, self._done / self._expected) if self._expected else 0.0
        if self.watch is not None and (share - self._shown >= 0.01 or share == 1.0 > self._shown):
            self._shown = share
            self.watch(share, message)

    def is_complete(self, stage: str, choices: str) -> bool:
        """True when the stage finished with these choices (a `training.recipe.file.digest`)."""
        marker = self.read_json(f"stages/{stage}.json")
        return bool(marker and marker["complete"] and marker["choices"] == choices)

    def begun_with(self, stage: str) -> str | None:
        """Return the choices a stage was last begun with, or `STALE`; None if it never began."""
        marker = self.read_json(f"stages/{stage}.json")
        return marker["choices"] if marker else None

    def begin(self, stage: str, choices: str) -> None:
        """Mark a stage as begun; until `complete` is called it counts as not done."""
        self.write_json(f"stages/{stage}.json", {"complete": False, "choices": choices})

    def forget(self, stage: str) -> None:
        """Mark the output of a stage as `STALE`; does nothing if the stage never began."""
        if self.begun_with(stage) not in (None, STALE):
            self.begin(stage, STALE)

    def complete(self, stage: str, choices: str, **facts: Any) -> None:
        """Mark a stage as complete; call this after all its files are written."""
        self.write_json(f"stages/{stage}.json", {"complete": True, "choices": choices, **facts})

    def clear(self, names: tuple[str, ...]) -> None:
        """Remove what an earlier attempt left: files, folders or glob patterns in the run directory."""
        for name in names:
            for path in self.folder.glob(name):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
