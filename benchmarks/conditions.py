"""Record the conditions of a measurement: date, processor, load, and CPU time that other work took."""

from __future__ import annotations

import datetime as dt
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.sheet import Sheet
from smartbreed.inference.runtime import default_threads

#: File in which Linux counts the ticks that all cores spent since boot.
_COUNTS = Path("/proc/stat")


class Conditions:
    """The conditions since this object was created; ``str()`` describes them."""

    def __init__(self) -> None:
        self._started, self._load = time.monotonic(), _load()
        self._all, self._ours = _busy_seconds(), _own_seconds()

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-6)
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
        text = f"{now}, {default_threads()} cores ({processor()}), load {self._load:.1f} to {_load():.1f}"
        if self._all is not None and (busy := _busy_seconds()) is not None:
            # Child processes only count once they have ended; a server that still runs counts as other work.
            others = max(0.0, busy - self._all - (_own_seconds() - self._ours)) / seconds
            text += f"; work beside it took {others:.1f} of the cores"
        return text + "."


@contextmanager
def noted(sheets: list[Sheet]) -> Iterator[None]:
    """Measure the conditions inside the block and add them to each of the tables."""
    conditions = Conditions()
    yield
    for sheet in sheets:
        sheet.conditions = str(conditions)


def processor() -> str:
    """Return the name of the processor, or its architecture if the name is unknown."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return os.uname().machine


def _load() -> float:
    return os.getloadavg()[0]


def _busy_seconds() -> float | None:
    """Return the seconds that all cores together were busy since boot; None if the system does not say."""
    try:
        user, nice, system, _, _, irq, soft = (
            int(ticks) for ticks in _COUNTS.read_text().split("\n", 1)[0].split()[1:8]
        )
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
