"""A daily job for one disk, run by whichever process gets to it first."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.files import disk_errors, make_dirs, only_holder, replace_durably, write_tmp

log = logging.getLogger(__name__)

DAY_S = 24 * 3600.0
#: Seconds until a failed job is retried.
_AGAIN_S = 3600.0
_STATE, _LOCK = "daily.json", "daily.lock"

#: Called with the notes of its last run, which it may change; returns problems, one sentence each.
Work = Callable[[dict[str, Any]], list[str]]


class Maintenance:
    """One periodic job, safe in any number of threads and processes.

    The operating system frees the lock when its holder dies, and an interrupted job is not recorded as done.

    Args:
        folder: holds the lock and the notes; on the disk that the job is about.
        work: the job.
        every_s: seconds between two runs.
        clock: returns the seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        work: Work,
        *,
        every_s: float = DAY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._work = work
        self._every_s = every_s
        self._clock = clock

    def run(self) -> bool:
        """Run the job if it is due; return whether it ran.

        It does not run while another process runs it, or if its lock or notes cannot be written (which is
        logged). A failed job is listed in `problems` and retried after an hour.
        """
        if not self._due():
            return False
        try:
            with disk_errors("The daily maintenance was not done"):
                make_dirs(self._folder)
                with only_holder(self._folder / _LOCK) as alone:  # without locks it may run twice: harmless
                    return alone and self._due() and self._do()
        except SmartBreedError as error:
            log.warning("%s", error.message)
            return False

    def problems(self) -> list[str]:
        """Return the problems found by the last run, one sentence each."""
        return [str(problem) for problem in self._notes().get("problems", [])]

    def _due(self) -> bool:
        at = self._notes().get("next", 0.0)
        now = self._clock()
        # A time more than one period ahead means that the clock has been set back since.
        return not isinstance(at, int | float) or not now < at <= now + self._every_s

    def _do(self) -> bool:
        notes = self._notes()
        memory = notes.get("memory")
        memory = memory if isinstance(memory, dict) else {}
        pause = self._every_s
        try:
            problems = self._work(memory)
        except SmartBreedError as error:
            problems, pause = [error.message], min(_AGAIN_S, self._every_s)
        except Exception as error:
            log.exception("The daily maintenance failed")
            problems, pause = (
                [f"The daily maintenance failed ({type(error).__name__})."],
                min(_AGAIN_S, pause),
            )
        for problem in problems:
            log.warning("%s", problem)
        state = {"next": self._clock() + pause, "problems": problems, "memory": memory}
        data = json.dumps(state).encode()
        replace_durably(write_tmp(self._folder, _STATE, data), self._folder / _STATE)
        return True

    def _notes(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found = json.loads((self._folder / _STATE).read_bytes())
            if isinstance(found, dict):
                return found
        return {}
