"""The folder of a training run: its recipe, what it did, and which stages are complete.

::

    config.yaml       the recipe, every default written out
    log.jsonl         one JSON object for every line the run said
    stages/NAME.json  written last by a stage: finished, and with which choices
    scores.json, plots/, prepared/, backup/, *.weights.h5, tensorboard/, bundle/

A stage without its marker, or whose marker names other choices, counts as not done. A marker is never
removed: of a stage whose ground has moved it says `STALE`, so that what lies there from before is known
for what it is and cleared before the stage begins again.
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

#: What learning from a picture costs, in looks at one: forward, and backward about twice as much.
TRAINED = 3.0
#: In the place of a stage's choices: what it left belongs to a run that is no more.
STALE = "stale"


class RunDirectory:
    """One run's folder.

    Args:
        folder: created when missing.
        quiet: print nothing; the log is written all the same.
        watch: called as the stage under way gets on, with the share of its work that is done, 0…1, and a
            sentence; about a hundred times a stage.
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
        """Keep every other process out.

        Raises:
            StageError: one is in.
            StorageError: the disk refused.
        """
        with ExitStack() as stack:
            with disk_errors("The run directory was not locked"):
                alone = stack.enter_context(only_holder(self / ".lock"))
            if not alone:
                raise StageError(f"Another process is working in this run directory. Received: {self.folder}")
            yield

    def write(self, name: str, data: bytes) -> Path:
        """Write a file whole or not at all, on the disk before this returns.

        Raises:
            StorageError: the disk refused.
        """
        path = self / name
        with disk_errors(f"{name} of the run was not written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(write_tmp(path.parent, path.name, data), path)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """`write` as indented JSON."""
        return self.write(name, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

    def read_json(self, name: str) -> Any:
        """A JSON file of the run; None when it is not there."""
        path = self / name
        return json.loads(path.read_text()) if path.is_file() else None

    def say(self, message: str, **figures: Any) -> None:
        """One line for the person watching (stderr) and for ``log.jsonl``."""
        entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "stage": self.stage}
        line = json.dumps({**entry, "message": message, **figures}, ensure_ascii=False, default=float)
        with disk_errors("log.jsonl of the run was not written"), (self / "log.jsonl").open("a") as file:
            file.write(line + "\n")
        if not self.quiet:
            minutes, seconds = divmod(round(time.monotonic() - self._started), 60)
            print(f"[{minutes:02d}:{seconds:02d}] {self.stage:<9} {message}", file=sys.stderr, flush=True)

    def expect(self, work: float) -> None:
        """Begin to count the work of a stage.

        Args:
            work: all of it, in pictures that a network looks at once; a step of training counts as
                `TRAINED` looks at each of its pictures.
        """
        self._expected, self._done, self._shown = max(work, 1.0), 0.0, -1.0

    def advance(self, work: float, message: str) -> None:
        """So much more of what was expected is done.

        Args:
            work: in the unit of `expect`.
            message: what is being done, for people.
        """
        self._done += work
        share = min(1.0, self._done / self._expected) if self._expected else 0.0
        if self.watch is not None and (share - self._shown >= 0.01 or share == 1.0 > self._shown):
            self._shown = share
            self.watch(share, message)

    def is_complete(self, stage: str, choices: str) -> bool:
        """Whether the stage finished with these choices (a `training.recipe.file.digest`)."""
        marker = self.read_json(f"stages/{stage}.json")
        return bool(marker and marker["complete"] and marker["choices"] == choices)

    def begun_with(self, stage: str) -> str | None:
        """The choices a stage was last begun with, or `STALE`; None when it never was."""
        marker = self.read_json(f"stages/{stage}.json")
        return marker["choices"] if marker else None

    def begin(self, stage: str, choices: str) -> None:
        """Note that a stage is under way: from now on it counts as not done."""
        self.write_json(f"stages/{stage}.json", {"complete": False, "choices": choices})

    def forget(self, stage: str) -> None:
        """Note that what a stage left counts for nothing; nothing to note where it never began."""
        if self.begun_with(stage) not in (None, STALE):
            self.begin(stage, STALE)

    def complete(self, stage: str, choices: str, **facts: Any) -> None:
        """Note that a stage is done; call it last."""
        self.write_json(f"stages/{stage}.json", {"complete": True, "choices": choices, **facts})

    def clear(self, names: tuple[str, ...]) -> None:
        """Remove files, folders or patterns of an earlier try."""
        for name in names:
            for path in self.folder.glob(name):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
