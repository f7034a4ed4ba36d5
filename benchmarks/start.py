"""Measure the app's start time and the memory it uses then: ``python -m benchmarks.start``.

The time runs from the start of the process to the answer of the first page. An empty Blocks app and a Python
process that only imports gradio run for comparison, in turns, each with an empty home.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import psutil
import typer

from benchmarks.conditions import noted
from benchmarks.servers import APP, EMPTY, served
from benchmarks.sheet import NONE, Sheet, show
from benchmarks.sides import REPOSITORY, Found, in_turns, median, ratio, span

#: Goals: largest ratio to the start time of the empty app, and most MB on top of its memory.
MOST_TIMES, MOST_MEGABYTES = 1.3, 120


def started(command: Sequence[str]) -> Found:
    """Start a server; return seconds to its first page, and CPU seconds and resident MB at that time."""
    with served(command) as server:
        process = psutil.Process(server.process.pid)
        used = process.cpu_times()
        return {
            "seconds": server.seconds,
            "cpu": used.user + used.system,
            "megabytes": process.memory_info().rss / 2**20,
        }


def imported(statement: str) -> Found:
    """Run a statement in a new Python process; return wall and CPU seconds."""
    began, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-c", statement], cwd=REPOSITORY, check=True, capture_output=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": time.perf_counter() - began, "cpu": used}


def measure(rounds: int = 7) -> Iterator[Sheet]:
    """Measure and yield the table.

    Args:
        rounds: number of starts of each side.
    """
    sheet = Sheet(
        f"Start with an empty home, {rounds} times in turns",
        ("", "seconds to the first page, median", "lowest to highest", "CPU seconds", "resident MB then"),
    )
    sides: dict[str, Callable[[], Found]] = {
        "python -c 'import gradio'": lambda: imported("import gradio"),
        "an empty Blocks app": lambda: started(EMPTY),
        "app.py": lambda: started(APP),
    }
    with noted([sheet]):
        results = in_turns(sides, rounds, "start")
    for name, runs in results.items():
        seconds = [one["seconds"] for one in runs]
        memory = f"{median(one['megabytes'] for one in runs):.0f}" if "megabytes" in runs[0] else NONE
        cpu = median(one["cpu"] for one in runs)
        sheet.add(name, f"{median(seconds):.2f}", span(seconds, 2), f"{cpu:.2f}", memory)
    sheet.notes.append(verdict(results["an empty Blocks app"], results["app.py"]))
    yield sheet


def verdict(empty: list[Found], ours: list[Found]) -> str:
    """Describe how far the goals are reached."""
    times, cpu = (
        ratio([one[key] for one in ours], [one[key] for one in empty]) for key in ("seconds", "cpu")
    )
    more = median(one["megabytes"] for one in ours) - median(one["megabytes"] for one in empty)
    return (
        f"app.py takes {times:.2f} times the start of the empty app, {cpu:.2f} times its CPU time (medians "
        f"of the rounds; goal: at most {MOST_TIMES}), and {more:+.0f} MB (goal: at most +{MOST_MEGABYTES})."
    )


#: Arguments of `measure` for a smoke test.
QUICK: dict[str, Any] = {"rounds": 1}


def main(rounds: Annotated[int, typer.Option(min=1, help="Starts of each.")] = 7) -> None:
    """Print the table."""
    show(measure(rounds))


if __name__ == "__main__":
    typer.run(main)
