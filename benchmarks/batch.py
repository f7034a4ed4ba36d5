"""Compare a batch with the bare networks on the same photographs: ``python -m benchmarks.batch``.

For the bare networks, the inputs that both networks get for these photographs are made beforehand. As many
threads as there are cores then only call ``invoke`` on single-threaded interpreters. The batch turns a folder
of the same photographs into parquet: it reads, decodes and resizes, and writes rows and parts. The sides run
in turns, each in its own process.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.bare import inputs_of, invoker
from benchmarks.conditions import noted
from benchmarks.photographs import DATA, photographs
from benchmarks.sheet import Sheet, show
from benchmarks.sides import Found, in_turns, median, peak_megabytes, print_found, ratio, run_side, span
from smartbreed.batch.parts import Parts
from smartbreed.batch.run import about, local_engine, run
from smartbreed.batch.worker import Options
from smartbreed.core.native import native_silence
from smartbreed.core.settings import load_settings
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.runtime import default_threads
from smartbreed.registry import open_bundle
from smartbreed.sources.opening import open_source

#: Goal: smallest share of the throughput of the bare networks, 0…1.
LEAST_SHARE = 0.9


def _identifier() -> Identifier:
    with native_silence():
        identifier = Identifier(open_bundle(load_settings()), network_threads=1)
    gc.freeze()  # as `smartbreed batch` does
    return identifier


def run_bare(folder: Path) -> Found:
    """Measure photos per second of both networks alone, and count ``invoke`` calls per photo."""
    identifier, photos = _identifier(), sorted(folder.iterdir())
    inputs = [given for path in photos for given in inputs_of(identifier, read_photo(path, reduce=True))]
    threads = default_threads()
    with native_silence():
        ready = [invoker(identifier, 1) for _ in range(threads)]

    def invoke(number: int) -> None:
        ready[number](inputs[number::threads])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(invoke, range(threads)))  # warm up
        started, used = time.perf_counter(), time.process_time()
        list(pool.map(invoke, range(threads)))
        seconds, used = time.perf_counter() - started, time.process_time() - used
    count = len(photos)
    return {
        "rate": count / seconds,
        "cpu": used / count,
        "invokes": len(inputs) / count,
        "peak": peak_megabytes(),
    }


def run_batch(folder: Path) -> Found:
    """Measure photos per second from a folder to parquet."""
    options = Options(top_k=5, max_bytes=30_000_000, max_pixels=64_000_000)
    identifier, count = _identifier(), len(list(folder.iterdir()))
    with tempfile.TemporaryDirectory() as out:
        for number in range(2):  # the first run is a warm-up
            source = open_source(str(folder))
            known = about(str(folder), source, identifier.bundle.version.revision, options)
            started, used = time.perf_counter(), time.process_time()
            run(source, Parts(Path(out, f"{number}.parquet"), 5), local_engine(identifier, options), known)
            seconds, used = time.perf_counter() - started, time.process_time() - used
    return {"rate": count / seconds, "cpu": used / count, "peak": peak_megabytes()}


def write_photographs(folder: Path, data: str, photos: int, times: int) -> int:
    """Write photographs to a folder, each ``times`` times; return the number of files."""
    pictures = photographs(data, photos) * times
    for number, picture in enumerate(pictures):
        (folder / f"{number:05d}.jpg").write_bytes(picture)
    return len(pictures)


def measure(data: str = DATA, photos: int = 86, times: int = 4, rounds: int = 5) -> Iterator[Sheet]:
    """Measure both sides and yield the table.

    Args:
        data: folder of photographs.
        photos, times: number of photographs, and how often each is in the folder that the batch reads.
        rounds: turns of each side.
    """
    with tempfile.TemporaryDirectory() as name:
        count = write_photographs(Path(name), data, photos, times)
        sheet = Sheet(
            f"Batch: {count} photographs, {default_threads()} cores, {rounds} rounds in turns",
            ("", "photos/s, median", "lowest to highest", "share of bare", "CPU ms a photo", "peak MB"),
        )
        sides = {side: partial(run_side, "batch", side, ["--data", name]) for side in ("bare", "batch")}
        with noted([sheet]):
            results = in_turns(sides, rounds, "batch")
    invokes = results["bare"][0]["invokes"]
    names = {"bare": f"bare invoke, {invokes:.2f} a photo", "batch": "smartbreed batch"}
    bare = [one["rate"] for one in results["bare"]]
    for side, runs in results.items():
        rates = [one["rate"] for one in runs]
        sheet.add(
            names[side], f"{median(rates):.0f}", span(rates), f"{ratio(rates, bare):.0%}",
            f"{median(one['cpu'] for one in runs) * 1000:.1f}", f"{max(one['peak'] for one in runs):.0f}",
        )  # fmt: skip
    best = max(one["rate"] for one in results["batch"]) / max(bare)
    cpu = ratio([one["cpu"] for one in results["bare"]], [one["cpu"] for one in results["batch"]])
    sheet.notes.append(
        f"The share is the median of the rounds; of the best of each it is {best:.0%}, of the CPU time of a "
        f"photo {cpu:.0%} (goal: {LEAST_SHARE:.0%}). Most of the bare side's memory is its recorded inputs."
    )
    yield sheet


#: Arguments of `measure` for a smoke test.
QUICK: dict[str, Any] = {"photos": 4, "times": 1, "rounds": 1}


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with the scenes test split.")] = DATA,
    photos: Annotated[int, typer.Option(help="Photographs.")] = 86,
    times: Annotated[int, typer.Option(help="How often each photograph is in the folder.")] = 4,
    rounds: Annotated[int, typer.Option(help="Turns of each side.")] = 5,
    side: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print the table."""
    if side:
        print_found({"bare": run_bare, "batch": run_batch}[side](Path(data)))
    else:
        show(measure(data, photos, times, rounds))


if __name__ == "__main__":
    typer.run(main)
