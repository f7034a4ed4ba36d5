"""Both shipped networks by themselves, in three runtimes: ``python -m benchmarks.networks``.

LiteRT, which the app uses, ONNX Runtime and OpenVINO each run both networks with one thread and with two, on
one picture at a time and on batches, all on the same pixels; an engine whose answers are not LiteRT's
does not count. Below them stands the arithmetic floor: the multiply-adds of the network, those of each type
at the rate of a large product of matrices on the same cores, the fastest that any runtime could be. CPU time,
of all threads together, says more than the clock where other work shares the cores.

ONNX Runtime needs the packages `onnxruntime`, `onnx` and `tf2onnx` (with tensorflow), OpenVINO `openvino`:
``pip install 'smartbreed[bench]'``. What is not installed is said, and its row left out.
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
#: Runs ``(n, h, w, 3)`` float32 to its end; the outputs, each with the batch first.
Run = Callable[[np.ndarray], list[np.ndarray]]
#: What each engine is called, and the modules that it needs beside the app's own.
ENGINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "litert": ("LiteRT (what ships)", ()),
    "onnxruntime": ("ONNX Runtime", ("onnxruntime", "onnx", "tf2onnx", "tensorflow")),
    "openvino": ("OpenVINO", ("openvino",)),
}
#: Correlation with LiteRT's outputs from which on rounding, of which int8 has much, explains the rest.
ALIKE = 0.97
_OPSET = 17
_CAT = REPOSITORY / "smartbreed/web/static/examples/chelsea.jpg"


def litert(path: Path, threads: int) -> Run:
    """The ``.tflite`` file, as the app runs it."""
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
    """The ``.onnx`` file that `to_onnx` made beside the network."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    file = str(path.with_suffix(".onnx"))
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    return lambda pixels: list(session.run(None, {given.name: pixels}))


def openvino(path: Path, threads: int) -> Run:
    """The ``.tflite`` file, as OpenVINO reads it."""
    import openvino as ov

    core = ov.Core()
    # Without the hint it would compute the head in bfloat16 where the processor can: another network.
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
    """Modules that an engine needs and that are not installed."""
    return [name for name in ENGINES[engine][1] if find_spec(name) is None]


def to_onnx(path: Path) -> None:
    """Convert a ``.tflite`` file to one beside it."""
    import onnx
    from tf2onnx.convert import from_tflite

    onnx.save(from_tflite(str(path), opset=_OPSET)[0], str(path.with_suffix(".onnx")))


def pixels_for(path: Path) -> np.ndarray:
    """Inputs of a network ``(n, h, w, 3)`` in -1…1: the cat that ships, moved a little in each."""
    from ai_edge_litert.interpreter import Interpreter

    count, height, width, _ = (int(n) for n in Interpreter(str(path)).get_input_details()[0]["shape"])
    cat = np.asarray(Image.open(_CAT).convert("RGB").resize((width, height)), np.float32) / 127.5 - 1
    return np.stack([np.roll(cat, 3 * number, axis=1) for number in range(count)])


def likeness(ours: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Correlation of outputs ``(n, …)`` with those of the same size that are most like them; the worst."""
    worst = 1.0
    for one in ours:
        same = [other for other in others if other.size == one.size]
        each = [float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) for other in same]
        worst = min(worst, max(each, default=0.0))
    return worst


def milliseconds(run: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Median time of one call and its CPU time in ms, over so many seconds and two calls at least."""
    run()
    times: list[float] = []
    used = time.process_time()
    while len(times) < 2 or sum(times) < seconds:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return median(times) * 1000, (time.process_time() - used) / len(times) * 1000


def run_engine(engine: str, folder: Path, threads: int, batches: Sequence[int], seconds: float) -> Found:
    """ms a picture and CPU ms a picture by network and batch, and how alike LiteRT's its answers are."""
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
    """Multiply-adds a second that one core does in large products of matrices, by type."""
    with native_silence():
        return {"float32": float32_rate(seconds), "int8": int8_rate(seconds)}


def file_of(folder: Path, network: str, batch: int) -> Path:
    """Where a network for batches of so many lies."""
    return folder / f"{network}_{batch}.tflite"


def prepare(folder: Path, batches: Sequence[int]) -> str:
    """Write both networks for batches, as ONNX too where that can be made; why it cannot, or nothing."""
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
    """The tables, one a network.

    Args:
        rounds: turns of each engine and number of threads.
        seconds: measured for each figure of a turn.
        batches: pictures that are given at once.
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
    """Rows and notes of a network.

    Args:
        results: what each engine found in each round, by name and number of threads, and ``floor``.
        work: multiply-adds, as `macs` counts them.
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
    """CPU ms of so many multiply-adds by type, at the rates measured; NaN where one was not."""
    if not all(rates[kind] for kind in work):
        return float("nan")
    return sum(count / rates[kind] for kind, count in work.items()) * 1000


#: For a smoke test.
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
