"""Measure how fast the statistics page opens after a million answers: ``python -m benchmarks.statistics``.

Synthetic answers of three years are counted as the app counts them, and a tenth as many flags are saved, in a
fresh database. Then the page (also with all breeds) and its two CSV tables are requested without caches.
"""

from __future__ import annotations

import datetime as dt
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table
from starlette.applications import Starlette
from starlette.testclient import TestClient

from smartbreed import feedback_loop
from smartbreed.core.database import Sessions, write
from smartbreed.core.native import native_silence
from smartbreed.core.settings import load_settings
from smartbreed.feedback.tables import Flag
from smartbreed.inference.results import Guess, Identification, ModelVersion, Pet
from smartbreed.services import Services
from smartbreed.statistics.usage import Recorder, Seen, SeenPet, add_counts, tally
from smartbreed.web.pages.statistics.page import StatisticsPages

#: Goal: most seconds until the page is ready.
MOST_SECONDS = 1.0
_DAYS, _VERSIONS, _LOT, _FLAGGERS = 3 * 365, 6, 20_000, 10_000


def synthetic_events(number: int, labels: list[str], version: str, chance: random.Random) -> list[Seen]:
    """Generate answers of the last three years by six versions, the last of which is ``version``."""
    today, nothing = dt.datetime.now(dt.UTC).date(), np.zeros(0, np.float32)
    events = []
    for _ in range(number):
        ago = chance.randrange(_DAYS)
        made = version if ago < _DAYS // _VERSIONS else f"0.{_VERSIONS - ago * _VERSIONS // _DAYS}.0"
        pets = tuple(
            SeenPet("dog", chance.choice(("breed", "group")), chance.choice(labels), chance.random(), nothing)
            for _ in range(chance.choice((0, 1, 1, 2)))
        )
        interface = chance.choice(("page", "rest", "client"))
        events.append(Seen(today - dt.timedelta(days=ago), made, interface, pets, chance.expovariate(1 / 40)))
    return events


def fill(sessions: Sessions, answers: int, labels: list[str], version: str, revision: str) -> None:
    """Count synthetic answers, and save a tenth as many flags."""
    fill_answers(sessions, range(answers), labels, version)
    fill_flags(sessions, range(answers // 10), labels, revision)


def fill_answers(sessions: Sessions, numbers: range, labels: list[str], version: str) -> None:
    """Count synthetic answers.

    Args:
        sessions: sessions of the database.
        numbers: numbers of the answers; each number is counted only once.
        labels: breed ids to draw from.
        version: the current version.
    """
    chance, now = random.Random(7 + numbers.start), dt.datetime.now(dt.UTC)
    for start in range(numbers.start, numbers.stop, _LOT):
        some = synthetic_events(min(_LOT, numbers.stop - start), labels, version, chance)
        add_counts(sessions, tally(some), "benchmark", start + 1, now)


def fill_flags(sessions: Sessions, numbers: range, labels: list[str], revision: str) -> None:
    """Save pending flags of different photos by `_FLAGGERS` visitors.

    Args:
        sessions: sessions of the database.
        numbers: numbers of the flags; each number can be saved only once.
        labels: breed ids to draw from.
        revision: the model's revision.
    """
    chance, now = random.Random(8 + numbers.start), dt.datetime.now(dt.UTC)
    with write(sessions) as session:
        for start in range(numbers.start, numbers.stop, _LOT):
            rows = [
                {
                    "id": f"{n:026d}", "sample_id": f"{n:064x}", "photo_width": 9, "photo_height": 9,
                    "predicted": chance.choice(labels), "verdict": chance.choice(("correct", "wrong")),
                    "model_revision": revision, "consent": True,
                    "flagged_at": now - dt.timedelta(days=chance.randrange(_DAYS)),
                    "flagger": f"{chance.randrange(_FLAGGERS):064x}", "state": "pending",
                    "dedupe_key": f"{n:064x}",
                }
                for n in range(start, min(start + _LOT, numbers.stop))
            ]  # fmt: skip
            session.execute(sa.insert(Flag), rows)


def note_seconds(services: Services) -> float:
    """Measure the median time to record an answer, in seconds."""
    nothing = np.zeros(1280, np.float32)
    pet = Pet(
        (0, 0, 9, 9), (0, 0, 9, 9), 0.9, "dog", "breed", (Guess("pug", "Pug", 0.9),),
        Guess("", "", 0.0), nothing, nothing, nothing,
    )  # fmt: skip
    answer = Identification("", "", 9, 9, (pet,), ModelVersion("", "", "1"), 12.0)
    recorder = Recorder(lambda: services.flags.sessions)
    times = []
    for _ in range(5_000):
        started = time.perf_counter()
        recorder.note(answer, "page")
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def seconds(work: Callable[[], Any], times: int = 7) -> tuple[float, float]:
    """Return the median and the longest time of a call in seconds, with caches cleared before each."""
    taken = []
    for _ in range(times):
        feedback_loop.forget_statistics()
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), max(taken)


def main(answers: Annotated[int, typer.Option(help="Answers to count.")] = 1_000_000) -> None:
    """Fill a database and time the page; the status is 1 if the goal is missed."""
    with tempfile.TemporaryDirectory() as home:
        services = Services(load_settings(home=Path(home), hub="embedded"))
        with native_silence():
            version = services.identifier.bundle.version
        started = time.perf_counter()
        fill(services.flags.sessions, answers, services.identifier.labels, version.version, version.revision)
        filled = time.perf_counter() - started
        client = TestClient(Starlette(routes=StatisticsPages(services).routes()))
        table = Table("what", "median", "longest", box=None)
        slowest = 0.0
        for address in (
            "/statistics",
            "/statistics?all=1&sort=f1",
            "/statistics/breeds.csv",
            "/statistics/days.csv",
        ):
            median, longest = seconds(lambda address=address: client.get(address).raise_for_status())  # type: ignore[misc]
            slowest = max(slowest, median)
            table.add_row(address, f"{median * 1000:.0f} ms", f"{longest * 1000:.0f} ms")
        table.add_row("noting one answer", f"{note_seconds(services) * 1e6:.1f} µs", "")
        services.stop()
    console = Console()
    console.print(f"{answers} answers and {answers // 10} flags, counted and saved in {filled:.0f} s.")
    console.print(table)
    if slowest > MOST_SECONDS:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
