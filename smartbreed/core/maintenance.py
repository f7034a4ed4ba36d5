"""What is done once a day on one disk, by whichever process comes first."""

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
#: Seconds after which a job that failed is tried again.
_AGAIN_S = 3600.0
_STATE, _LOCK = "daily.json", "daily.lock"

#: Gets what it noted last time, and may change it; returns what is wrong, in sentences.
Work = Callable[[dict[str, Any]], list[str]]


class Maintenance:
    """One job; safe in any number of threads and processes.

    The operating system frees the lock when its holder dies, and a job that was cut short is
    simply not noted as done.

    Args:
        folder: where lock and notes lie, on the disk that the job is about.
        work: the job.
        every_s: seconds between two times.
        clock: seconds since 1970.
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
        """Do it when its time has come; False when it has not, or another process is at it.

        Whatever goes wrong is one of `problems` afterwards, and tried again in an hour.
        """
        if not self._due():
            return False
        try:
            with disk_errors("The daily maintenance was not done"):
                make_dirs(self._folder)
                with only_holder(self._folder / _LOCK) as alone:  # without locks, twice costs time alone
                    return alone and self._due() and self._do()
        except SmartBreedError as error:
            log.warning("%s", error.message)
            return False

    def problems(self) -> list[str]:
        """What was wrong the last time, in sentences."""
        return [str(problem) for problem in self._notes().get("problems", [])]

    def _due(self) -> bool:
        at = self._notes().get("next", 0.0)
        now = self._clock()
        # A moment farther away than any was written by a clock that has been set back since.
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
