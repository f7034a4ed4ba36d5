"""Measure both shipped networks alone in three runtimes: ``python -m benchmarks.networks``.

LiteRT (which the app uses), ONNX Runtime and OpenVINO run both networks with one and with two threads, on
single pictures and on batches, all with the same pixels. An engine whose outputs differ from LiteRT's gets no
row. The last rows show the arithmetic floor, the fastest that any runtime could be: the multiply-adds of the
network at the rate that large matrix products of each type reach on the same cores. CPU time is summed over
all threads; it is more reliable than wall time if other work shares the cores.

ONNX Runtime needs the packages `onnxruntime`, `onnx` and `tf2onnx` (with tensorflow), OpenVINO `openvino`:
``pip install 'smartbreed[bench]'``. An engine that is not installed is mentioned below the table.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from benchmarks.arithmetic import float32_rate, int8_rate, macs, with_batch
from benchmarks.conditions import noted
from benchmarks.sheet import Sheet, show
from benchmarks.sides import REPOSITORY, Found, SideFailed, in_turns, median, print_found, run_side, say
from smartbreed.core.native import native_silence
from smartbreed.core.settings import EMBEDDED_BUNDLE

NETWORKS = ("classifier", "detector")
THREADS, BATCHES = (1, 2), (1, 8, 64)
#: Runs a network on float32 ``(n, h, w, 3)`` and returns its outputs, each with the batch first.
Run = Callable[[np.ndarray], list[np.ndarray]]
#: Title of each engine, and the modules that it needs in addition to the app's own.
ENGINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "litert": ("LiteRT (what ships)", ()),
    "onnxruntime": ("ONNX Runtime", ("onnxruntime", "onnx", "tf2onnx", "tensorflow")),
    "openvino": ("OpenVINO", ("openvino",)),
}
#: Smallest correlation with LiteRT's outputs at which int8 rounding explains the difference.
ALIKE = 0.97
_OPSET = 17
_CAT = REPOSITORY / "smartbreed/web/static/examples/chelsea.jpg"


def litert(path: Path, threads: int) -> Run:
    """Load a ``.tflite`` file as the app does."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    outputs = [one["index"] for one in interpreter.get_output_details()]

    def run(pixels: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(given, pixels)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    return run


def onnxruntime(path: Path, threads: int) -> Run:
    """Load the ``.onnx`` file that `to_onnx` wrote beside the ``.tflite`` file."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    file = str(path.with_suffix(".onnx"))
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    return lambda pixels: list(session.run(None, {given.name: pixels}))


def openvino(path: Path, threads: int) -> Run:
    """Load a ``.tflite`` file with OpenVINO."""
    import openvino as ov

    core = ov.Core()
    # Without the precision hint, some processors compute the head in bfloat16, which changes the network.
    hints = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(str(path)), "CPU", hints).create_infer_request()

    def run(pixels: np.ndarray) -> list[np.ndarray]:
        found = request.infer([pixels], share_inputs=True, share_outputs=True)
        return [np.asarray(value) for value in found.to_tuple()]

    return run


_MAKERS: dict[str, Callable[[Path, int], Run]] = {
    "litert": litert, "onnxruntime": onnxruntime, "openvino": openvino,
}  # fmt: skip


def missing(engine: str) -> list[str]:
    """Return the modules that an engine needs but that are not installed."""
    return [name for name in ENGINES[engine][1] if find_spec(name) is None]


def to_onnx(path: Path) -> None:
    """Convert a ``.tflite`` file to an ``.onnx`` file beside it."""
    import onnx
    from tf2onnx.convert import from_tflite

    onnx.save(from_tflite(str(path), opset=_OPSET)[0], str(path.with_suffix(".onnx")))


def pixels_for(path: Path) -> np.ndarray:
    """Return inputs for a network, ``(n, h, w, 3)`` in -1…1: the example cat, shifted a little in each."""
    from ai_edge_litert.interpreter import Interpreter

    count, height, width, _ = (int(n) for n in Interpreter(str(path)).get_input_details()[0]["shape"])
    cat = np.asarray(Image.open(_CAT).convert("RGB").resize((width, height)), np.float32) / 127.5 - 1
    return np.stack([np.roll(cat, 3 * number, axis=1) for number in range(count)])


def likeness(ours: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Match each output ``(n, …)`` to the most similar one of its size; return the lowest correlation."""
    worst = 1.0
    for one in ours:
        same = [other for other in others if other.size == one.size]
        each = [float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) for other in same]
        worst = min(worst, max(each, default=0.0))
    return worst


def milliseconds(run: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Measure median time and mean CPU time of a call in ms, over some seconds and at least two calls."""
    run()
    times: list[float] = []
    used = time.process_time()
    while len(times) < 2 or sum(times) < seconds:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return median(times) * 1000, (time.process_time() - used) / len(times) * 1000


def run_engine(engine: str, folder: Path, threads: int, batches: Sequence[int], seconds: float) -> Found:
    """Measure ms and CPU ms per picture by network and batch, and the correlation with LiteRT's outputs."""
    found: Found = {"times": {}, "alike": 1.0}
    with native_silence():
        for network in NETWORKS:
            reference: list[np.ndarray] = []
            for batch in batches:
                path = file_of(folder, network, batch)
                run, pixels = _MAKERS[engine](path, threads), pixels_for(path)
                if not reference:
                    reference = [output[:1] for output in litert(path, threads)(pixels)]
                alike = likeness(reference, [output[:1] for output in run(pixels)])
                found["alike"] = min(found["alike"], alike)
                taken = milliseconds(partial(run, pixels), seconds)
                found["times"][f"{network} {batch}"] = [one / batch for one in taken]
    return found


def run_floor(seconds: float) -> Found:
    """Measure multiply-adds per second of one core in large matrix products, by type."""
    with native_silence():
        return {"float32": float32_rate(seconds), "int8": int8_rate(seconds)}


def file_of(folder: Path, network: str, batch: int) -> Path:
    """Return the path of a network for batches of this size."""
    return folder / f"{network}_{batch}.tflite"


def prepare(folder: Path, batches: Sequence[int]) -> str:
    """Write both networks for all batch sizes, and convert them to ONNX if its packages are installed.

    Returns:
        The reason why the conversion failed; empty if it worked or was skipped.
    """
    for network in NETWORKS:
        content = (EMBEDDED_BUNDLE / f"{network}.tflite").read_bytes()
        for batch in batches:
            file_of(folder, network, batch).write_bytes(with_batch(content, batch))
    if missing("onnxruntime"):
        return ""
    try:
        run_side("networks", "convert", ["--folder", str(folder)], {"TF_CPP_MIN_LOG_LEVEL": "3"})
    except SideFailed as failed:
        return str(failed).splitlines()[-1]
    return ""


def measure(rounds: int = 5, seconds: float = 0.5, batches: tuple[int, ...] = BATCHES) -> Iterator[Sheet]:
    """Measure and yield the tables, one per network.

    Args:
        rounds: turns of each engine and number of threads.
        seconds: seconds of measuring for each figure of a turn.
        batches: batch sizes.
    """
    notes: list[str] = []
    sheets = [
        Sheet(f"{network}: ms a picture · CPU ms, medians of {rounds} rounds", _headings(batches))
        for network in NETWORKS
    ]
    with tempfile.TemporaryDirectory() as name, noted(sheets):
        folder = Path(name)
        say("networks: converting")
        failed = prepare(folder, batches)
        engines = []
        for engine, (title, _) in ENGINES.items():
            if lacks := missing(engine):
                notes.append(f"No row of {title}: not installed: {', '.join(lacks)}.")
            elif engine == "onnxruntime" and failed:
                notes.append(f"No row of {title}: the conversion failed ({failed}).")
            else:
                engines.append(engine)
        results: dict[str, list[Found]] = {}
        sides = {
            f"{engine} {threads}": _side(engine, threads, folder, batches, seconds)
            for engine in engines
            for threads in THREADS
        } | {"floor": _side("floor", 1, folder, batches, seconds)}
        results = in_turns(sides, rounds, "networks")
        for sheet, network in zip(sheets, NETWORKS, strict=True):
            work = macs((EMBEDDED_BUNDLE / f"{network}.tflite").read_bytes())
            fill(sheet, network, engines, results, batches, work)
            sheet.notes += notes
    yield from sheets


def _headings(batches: Sequence[int]) -> tuple[str, ...]:
    names = {1: "1 thread", 2: "2 threads"}
    return ("", *(f"{names[threads]}, batch {batch}" for threads in THREADS for batch in batches))


def _side(
    engine: str, threads: int, folder: Path, batches: Sequence[int], seconds: float
) -> Callable[[], Found]:
    words = ["--folder", str(folder), "--threads", str(threads), "--seconds", str(seconds)]
    words += ["--batches", ",".join(map(str, batches))]
    counted = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))

    def run() -> Found:
        try:
            return run_side("networks", engine, words, counted)
        except SideFailed as failed:
            return {"failed": str(failed).splitlines()[-1]}

    return run


def fill(
    sheet: Sheet,
    network: str,
    engines: Iterable[str],
    results: dict[str, list[Found]],
    batches: Sequence[int],
    work: dict[str, dict[str, int]],
) -> None:
    """Fill the table of a network.

    Args:
        sheet: the table to fill.
        network: ``classifier`` or ``detector``.
        engines: engines that get a row.
        results: results of each round, by engine and number of threads, and of ``floor``.
        batches: batch sizes.
        work: multiply-adds as counted by `benchmarks.arithmetic.macs`.
    """
    columns = [(threads, batch) for threads in THREADS for batch in batches]
    alone = float("nan")
    for engine in engines:
        title = ENGINES[engine][0]
        runs = [one for threads in THREADS for one in results[f"{engine} {threads}"]]
        if failures := [one["failed"] for one in runs if "failed" in one]:
            sheet.notes.append(f"No row of {title}: {failures[0]}")
            continue
        if (alike := min(one["alike"] for one in runs)) < ALIKE:
            sheet.notes.append(f"No row of {title}: its answers are not LiteRT's (correlation {alike:.2f}).")
            continue
        cells = []
        for threads, batch in columns:
            taken = [one["times"][f"{network} {batch}"] for one in results[f"{engine} {threads}"]]
            wall, cpu = (median(one[part] for one in taken) for part in (0, 1))
            cells.append(f"{wall:.1f} · {cpu:.1f}")
            if engine == "litert" and threads == 1 and not np.isfinite(alone):
                alone = cpu
        sheet.add(title, *cells)
    total = {kind: sum(parts.values()) for kind, parts in work.items()}
    rates = {
        kind: max((one.get(kind, 0.0) for one in results["floor"]), default=0.0)
        for kind in ("int8", "float32")
    }
    floor = _floor(total, rates)
    in_float = _floor({"float32": sum(total.values())}, rates)
    for name, least in (("arithmetic floor", floor), ("the same in float32 alone", in_float)):
        sheet.add(name, *(f"{least / threads:.1f} · {least:.1f}" for threads, _ in columns))
    said = ", ".join(f"{rate / 1e9:.0f} in {kind}" for kind, rate in rates.items())
    counted = "; ".join(
        f"{kind}: {', '.join(f'{count / 1e6:.0f} in {name}' for name, count in parts.items())}"
        for kind, parts in work.items()
    )
    sheet.notes += [
        f"Million multiply-adds a picture: {counted}.",
        f"Thousand million multiply-adds a second that a core does at best: {said}.",
        f"One thread, one picture: LiteRT's CPU time is {alone / floor:.1f} times the floor.",
    ]


def _floor(work: dict[str, int], rates: dict[str, float]) -> float:
    """Return the CPU ms for multiply-adds of each type at the measured rates; NaN if a rate is missing."""
    if not all(rates[kind] for kind in work):
        return float("nan")
    return sum(count / rates[kind] for kind, count in work.items()) * 1000


#: Arguments of `measure` for a smoke test.
QUICK: dict[str, Any] = {"rounds": 1, "seconds": 0.02, "batches": (1, 2)}


def main(
    rounds: Annotated[int, typer.Option(help="Turns of each engine and number of threads.")] = 5,
    seconds: Annotated[float, typer.Option(help="Measured for each figure of a turn.")] = 0.5,
    side: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[Path, typer.Option(hidden=True)] = Path(),
    threads: Annotated[int, typer.Option(hidden=True)] = 1,
    batches: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print the tables."""
    if side == "convert":
        for path in sorted(folder.glob("*.tflite")):
            to_onnx(path)
        print_found({})
    elif side == "floor":
        print_found(run_floor(seconds))
    elif side:
        print_found(run_engine(side, folder, threads, [int(n) for n in batches.split(",")], seconds))
    else:
        show(measure(rounds, seconds))


if __name__ == "__main__":
    typer.run(main)
