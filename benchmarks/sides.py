"""Run the sides of a comparison in turns, each in its own process.

No side then profits from another's warm caches, each has its own peak memory, and other work on the machine
affects all of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
#: Results of a side by name.
Found = dict[str, Any]


class SideFailed(Exception):
    """A side ended with an error; the message is the end of its stderr."""


def say(what: str) -> None:
    """Print a line of progress to stderr, as stdout is for tables."""
    print(what, file=sys.stderr, flush=True)


def peak_megabytes() -> float:
    """Return the peak resident memory of this process in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_found(found: Found) -> None:
    """Print the results of a side as JSON, for `run_side` in the parent process."""
    print(json.dumps(found), flush=True)


def run_side(module: str, side: str, words: Iterable[str] = (), environment: Mapping[str, str] = {}) -> Found:
    """Run ``python -m benchmarks.MODULE --side SIDE`` and return its results.

    Args:
        module: name of the benchmark's module.
        side: name of the side.
        words: further command-line options.
        environment: environment variables in addition to those of this process.

    Raises:
        SideFailed: the process ended with an error.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", "--side", side, *words],
        cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SideFailed(f"benchmarks.{module}, {side}: {done.stderr.strip()[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def in_turns(sides: Mapping[str, Callable[[], Found]], rounds: int, what: str) -> dict[str, list[Found]]:
    """Run all sides in each round, in reverse order every other round, and return their results by side.

    Args:
        sides: functions that run each side.
        rounds: number of rounds.
        what: name of the comparison in progress messages.
    """
    results: dict[str, list[Found]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides.items())
        for name, run in order if number % 2 == 0 else reversed(order):
            say(f"{what}: round {number + 1} of {rounds}, {name}")
            results[name].append(run())
    return results


def median(values: Iterable[float]) -> float:
    """Return the median; NaN if there are no values."""
    found = list(values)
    return statistics.median(found) if found else float("nan")


def ratio(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the median of the ratios of two figures from the same round.

    Other work on the machine slows both figures of a round alike, so this is more reliable than the ratio of
    two medians.
    """
    return median(a / b for a, b in zip(left, right, strict=True))


def span(values: Sequence[float], digits: int = 0) -> str:
    """Format the range of some values, such as ``3 to 5``."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"
