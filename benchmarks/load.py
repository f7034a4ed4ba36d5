"""Measure throughput with many clients, and memory over many requests: ``python -m benchmarks.load``.

The app serves with its default settings. `benchmarks.clients` runs in another process on the same cores, so
the CPU time that the clients take is not available to the server; the table shows it. A batch of the same
photographs on the same machine, before and afterwards, shows what the cores can do without HTTP.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks import batch
from benchmarks.clients import asker
from benchmarks.conditions import noted
from benchmarks.photographs import DATA
from benchmarks.servers import APP, Server, served
from benchmarks.sheet import NONE, Sheet, show
from benchmarks.sides import REPOSITORY, Found, median, run_side, say
from smartbreed.inference.runtime import default_threads

CLIENTS = (1, 8, 32, 100, 200)
#: Goal: smallest share of a batch's throughput, 0…1, at the largest number of clients.
LEAST_SHARE = 0.8
#: Number of clients in the long run, which measures memory.
LONG_CLIENTS = 32
#: Number of memory measurements in the long run.
LOOKS = 10
#: Largest memory growth in the second half of the long run that counts as flat, in MB per 1,000 requests.
FLAT = 0.5


def ask(server: Server, data: str, photos: int, **options: float) -> Found:
    """Run clients in their own process; return their results with the server's CPU time and memory.

    Args:
        server: the server under load.
        data, photos: folder and number of the photographs that are sent.
        options: options of `benchmarks.clients` by name.

    Raises:
        RuntimeError: the clients failed; the message is the end of their output.
    """
    process = psutil.Process(server.process.pid)
    words = [f"--{name}={value}" for name, value in options.items()]
    before = process.cpu_times()
    with peak_of(process) as peak:
        done = subprocess.run(
            [
                sys.executable, "-m", "benchmarks.clients", server.url, f"--data={data}",
                f"--photos={photos}", *words,
            ],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"The clients failed:\n{done.stderr[-2000:]}")
    after = process.cpu_times()
    return {
        **json.loads(done.stdout.splitlines()[-1]),
        "server_cpu": after.user + after.system - before.user - before.system,
        "peak": peak[0] / 2**20,
        "megabytes": process.memory_info().rss / 2**20,
    }


@contextmanager
def peak_of(process: psutil.Process) -> Iterator[list[int]]:
    """Watch a process; yields a list whose one item is its peak resident memory so far, in bytes."""
    peak, over = [process.memory_info().rss], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            peak[0] = max(peak[0], process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def batch_rate(data: str, photos: int, times: int) -> float:
    """Measure photos per second of `smartbreed batch` on the same photographs."""
    say("load: a batch of the same photographs")
    with tempfile.TemporaryDirectory() as folder:
        batch.write_photographs(Path(folder), data, photos, times)
        return float(run_side("batch", "batch", ["--data", folder])["rate"])


def measure(
    data: str = DATA,
    photos: int = 86,
    clients: tuple[int, ...] = CLIENTS,
    seconds: float = 20.0,
    rounds: int = 3,
    requests: int = 50_000,
) -> Iterator[Sheet]:
    """Measure and yield the tables: by the number of clients, and of memory over many requests.

    Args:
        data: folder of photographs.
        photos: number of photographs, sent in turns.
        clients: numbers of concurrent clients.
        seconds: duration of each number of clients in a round.
        rounds: turns of each number of clients.
        requests: number of requests in the long run; 0 skips it.
    """
    sheet = Sheet(
        f"Clients that ask without a pause ({asker()}), {rounds} rounds of {seconds:.0f} s, medians",
        (
            "clients", "answers/s", "share of a batch", "p50 ms", "p95 ms", "p99 ms", "errors", "peak MB",
            "server's cores", "clients' cores",
        ),
    )  # fmt: skip
    long_run = Sheet(
        f"Memory over {requests:,} requests of {LONG_CLIENTS} clients",
        ("answered", "answers/s", "p99 ms", "errors", "resident MB", "peak MB since"),
    )
    times = 2 if seconds >= 5 else 1
    results: dict[int, list[Found]] = {number: [] for number in clients}
    with noted([sheet]):
        rates = [batch_rate(data, photos, times)]
        with served(APP) as server:
            ask(server, data, photos, clients=2, seconds=min(seconds, 3.0))  # warm up
            for turn in range(rounds):
                for number in clients if turn % 2 == 0 else reversed(clients):
                    say(f"load: round {turn + 1} of {rounds}, {number} clients")
                    results[number].append(
                        ask(server, data, photos, clients=number, seconds=seconds, warm=min(2.0, seconds))
                    )
        rates.append(batch_rate(data, photos, times))
    fill(sheet, results, rates)
    yield sheet
    if requests:
        with noted([long_run]), served(APP) as server:
            fill_long_run(long_run, server, data, photos, requests)
        yield long_run


def fill(sheet: Sheet, results: dict[int, list[Found]], rates: list[float]) -> None:
    """Fill the table of the numbers of clients.

    Args:
        sheet: the table to fill.
        results: results of each round, by number of clients.
        rates: photos per second of the batches.
    """
    batch_row = median(rates)
    for number, runs in results.items():
        rate = median(one["rate"] for one in runs)
        errors = {name for one in runs for name in one["errors"]}
        said = ", ".join(
            f"{sum(one['errors'].get(name, 0) for one in runs)} × {name}" for name in sorted(errors)
        )
        sheet.add(
            str(number), f"{rate:.0f}", f"{rate / batch_row:.0%}",
            *(f"{median(one[name] for one in runs):.0f}" for name in ("p50", "p95", "p99")),
            said or "0", f"{max(one['peak'] for one in runs):.0f}",
            *(f"{median(one[name] / one['seconds'] for one in runs):.1f}" for name in ("server_cpu", "cpu")),
        )  # fmt: skip
    sheet.add("a batch", f"{batch_row:.0f}", "100%", *[NONE] * 7)
    most = max(results)
    share = median(one["rate"] for one in results[most]) / batch_row
    cores = default_threads()
    sheet.notes.append(
        f"With {most} clients {share:.0%} of a batch (goal: {LEAST_SHARE:.0%}, no 5xx). The clients share "
        f"the {cores} cores with the server; the batches did "
        f"{' and '.join(f'{rate:.0f}' for rate in rates)} photos/s, before and afterwards."
    )


def fill_long_run(sheet: Sheet, server: Server, data: str, photos: int, requests: int) -> None:
    """Run many requests and fill the table of memory."""
    each, megabytes = max(1, requests // LOOKS), []
    for look in range(LOOKS):
        say(f"load: {look * each:,} of {requests:,} requests")
        found = ask(server, data, photos, clients=LONG_CLIENTS, seconds=86_400, requests=each)
        megabytes.append(found["megabytes"])
        sheet.add(
            f"{(look + 1) * each:,}", f"{found['rate']:.0f}", f"{found['p99']:.0f}",
            str(sum(found["errors"].values())), f"{found['megabytes']:.0f}", f"{found['peak']:.0f}",
        )  # fmt: skip
    sheet.notes.append(growth(megabytes, each))


def growth(megabytes: list[float], each: int) -> str:
    """Say whether memory is flat, by its growth over the second half of the measurements.

    Args:
        megabytes: resident memory at each measurement.
        each: requests between two measurements.
    """
    half = megabytes[len(megabytes) // 2 - 1 :]
    grown = (half[-1] - half[0]) / ((len(half) - 1) * each) * 1000
    verdict = "flat" if grown <= FLAT else "not flat"
    return (
        f"Over the second half of the requests the memory changed by {grown:+.2f} MB in 1,000 requests: "
        f"{verdict} (up to {FLAT} counts as flat)."
    )


#: Arguments of `measure` for a smoke test.
QUICK: dict[str, Any] = {
    "photos": 3, "clients": (1, 4), "seconds": 1.0, "rounds": 1, "requests": 40,
}  # fmt: skip


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with the scenes test split.")] = DATA,
    photos: Annotated[int, typer.Option(help="Photographs, sent in turns.")] = 86,
    seconds: Annotated[float, typer.Option(help="Of each number of clients in a round.")] = 20.0,
    rounds: Annotated[int, typer.Option(help="Turns of each number of clients.")] = 3,
    requests: Annotated[int, typer.Option(help="Of the long run; 0: none.")] = 50_000,
) -> None:
    """Print the tables."""
    show(measure(data, photos, CLIENTS, seconds, rounds, requests))


if __name__ == "__main__":
    typer.run(main)
