"""Sides of a comparison, in turns, each in a process of its own.

So none profits from another's warm caches, the peak memory of each is its own, and what else the machine
does meanwhile falls on all of them.
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
#: What a side found: names of figures, and what they were.
Found = dict[str, Any]


class SideFailed(Exception):
    """A side ended with an error; the message is the end of what it said."""


def say(what: str) -> None:
    """One line of progress, on stderr: tables alone go to stdout."""
    print(what, file=sys.stderr, flush=True)


def peak_megabytes() -> float:
    """Peak resident memory of this process, MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_found(found: Found) -> None:
    """How a side, in its own process, hands over what it found."""
    print(json.dumps(found), flush=True)


def run_side(module: str, side: str, words: Iterable[str] = (), environment: Mapping[str, str] = {}) -> Found:
    """Run ``python -m benchmarks.MODULE --side SIDE`` and read what it hands over.

    Args:
        words: further options.
        environment: variables beside those of this process.

    Raises:
        SideFailed: it ended with an error.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", "--side", side, *words],
        cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SideFailed(f"benchmarks.{module}, {side}: {done.stderr.strip()[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def in_turns(sides: Mapping[str, Callable[[], Found]], rounds: int, what: str) -> dict[str, list[Found]]:
    """What each side found in each round; every other round begins at the other end.

    Args:
        sides: what runs each.
        rounds: turns of each.
        what: the comparison, as progress names it.
    """
    results: dict[str, list[Found]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides.items())
        for name, run in order if number % 2 == 0 else reversed(order):
            say(f"{what}: round {number + 1} of {rounds}, {name}")
            results[name].append(run())
    return results


def median(values: Iterable[float]) -> float:
    """The middle value; NaN of none."""
    found = list(values)
    return statistics.median(found) if found else float("nan")


def ratio(left: Sequence[float], right: Sequence[float]) -> float:
    """Median over the rounds of one figure by another of the same round.

    What else the machine did in a round slowed both, so this says more than the quotient of two medians.
    """
    return median(a / b for a, b in zip(left, right, strict=True))


def span(values: Sequence[float], digits: int = 0) -> str:
    """Lowest to highest."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"
