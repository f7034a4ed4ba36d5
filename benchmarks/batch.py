"""A batch beside the bare networks, on the same photographs in one run: ``python -m benchmarks.batch``.

The bare networks: the inputs that both networks get for these photographs are made beforehand, and then as
many threads as there are cores do nothing but ``invoke`` on interpreters of one thread. The batch: a folder
of the same photographs to parquet, with reading, decoding, resizing, rows and parts. Each side runs in
turns, in a process of its own.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.identify import REPOSITORY, peak_megabytes, photographs
from smartbreed.batch.parts import Parts
from smartbreed.batch.run import about, local_engine, run
from smartbreed.batch.worker import Options
from smartbreed.core.native import native_silence
from smartbreed.core.settings import load_settings
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.runtime import Network, default_threads
from smartbreed.registry import open_bundle
from smartbreed.sources.opening import open_source


def _identifier() -> Identifier:
    with native_silence():
        identifier = Identifier(open_bundle(load_settings()), network_threads=1)
    gc.freeze()  # as the command does
    return identifier


def run_bare(folder: Path) -> dict[str, Any]:
    """Photos a second of both networks alone, and invokes a photo."""
    from ai_edge_litert.interpreter import Interpreter

    inputs: list[tuple[str, np.ndarray]] = []
    original = Network.__call__

    def recorded(self: Network, image: np.ndarray) -> dict[str, np.ndarray]:
        inputs.append((self._name, image.copy()))
        return original(self, image)

    identifier = _identifier()
    photos = sorted(folder.iterdir())
    Network.__call__ = recorded  # type: ignore[method-assign]
    for path in photos:
        identifier.identify(read_photo(path, reduce=True))

    def interpreters() -> dict[str, Any]:
        made = {}
        for name in {name for name, _ in inputs}:
            made[name] = Interpreter(str(identifier.bundle.path(name)), num_threads=1)
            made[name].allocate_tensors()
        return made

    def invoke(number: int) -> None:
        for name, image in inputs[number::threads]:
            one = ready[number][name]
            one.set_tensor(one.get_input_details()[0]["index"], image)
            one.invoke()

    threads = default_threads()
    with native_silence():
        ready = [interpreters() for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(invoke, range(threads)))  # warm
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


def run_batch(folder: Path) -> dict[str, Any]:
    """Photos a second from a folder to parquet."""
    options = Options(top_k=5, max_bytes=30_000_000, max_pixels=64_000_000)
    identifier, count = _identifier(), len(list(folder.iterdir()))
    with tempfile.TemporaryDirectory() as out:
        for number in range(2):  # the first warms
            source = open_source(str(folder))
            known = about(str(folder), source, identifier.bundle.version.revision, options)
            started, used = time.perf_counter(), time.process_time()
            run(source, Parts(Path(out, f"{number}.parquet"), 5), local_engine(identifier, options), known)
            seconds, used = time.perf_counter() - started, time.process_time() - used
    return {"rate": count / seconds, "cpu": used / count, "peak": peak_megabytes()}


def main(
    data: Annotated[
        str, typer.Option(help="Dataset folder with the scenes test split.")
    ] = "../shared/data/pets",
    photos: Annotated[int, typer.Option(help="Photographs.")] = 86,
    times: Annotated[int, typer.Option(help="How often each photograph is in the folder.")] = 4,
    rounds: Annotated[int, typer.Option(help="Turns of each side.")] = 5,
    side: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print the table."""
    if side:
        print(json.dumps({"bare": run_bare, "batch": run_batch}[side](Path(data))))
        return
    results: dict[str, list[dict[str, Any]]] = {"bare": [], "batch": []}
    with tempfile.TemporaryDirectory() as folder:
        for number, picture in enumerate(photographs(data, photos) * times):
            Path(folder, f"{number:05d}.jpg").write_bytes(picture)
        for _ in range(rounds):
            for name, runs in results.items():
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.batch", "--side", name, "--data", folder],
                    cwd=REPOSITORY, capture_output=True, text=True, check=False,
                )  # fmt: skip
                if done.returncode:
                    raise SystemExit(done.stderr[-2000:])
                runs.append(json.loads(done.stdout.splitlines()[-1]))
    pairs = list(zip(results["bare"], results["batch"], strict=True))
    shares = statistics.median(batch["rate"] / bare["rate"] for bare, batch in pairs)
    table = Table(title=f"{photos * times} photographs, {default_threads()} cores, {rounds} rounds in turns")
    for heading in (
        "",
        "photos/s (median)",
        "lowest to highest",
        "share of bare",
        "CPU ms a photo",
        "peak MB",
    ):
        table.add_column(heading, justify="right" if heading else "left")
    invokes = results["bare"][0]["invokes"]
    names = {"bare": f"bare invoke, {invokes:.2f} a photo", "batch": "smartbreed batch"}
    for name, runs in results.items():
        rates = [one["rate"] for one in runs]
        share = f"{shares:.0%}" if name == "batch" else "100%"
        cpu = statistics.median(one["cpu"] for one in runs) * 1000
        table.add_row(
            names[name], f"{statistics.median(rates):.0f}", f"{min(rates):.0f} to {max(rates):.0f}", share,
            f"{cpu:.1f}", f"{max(one['peak'] for one in runs):.0f}",
        )  # fmt: skip
    Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
