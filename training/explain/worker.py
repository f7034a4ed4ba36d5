"""Worker of `smartbreed.inference.deep_explanations`: ``python -m training.explain.worker BUNDLE_DIR``.

It reads requests from stdin and answers on stdout, framed by `smartbreed.inference.worker_process`. A request
is ``{id, method, index, shape}`` with uint8 pixels. The answer is ``{id, progress, text}`` any number of
times, then ``{id, shape}`` with a float32 map, or ``{id, error: {code, message}}``.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from smartbreed.core.errors import SmartBreedError
from smartbreed.inference.worker_process import Frame, read_frame, write_frame

if TYPE_CHECKING:
    from training.explain.methods import Explanations

Report = Callable[[float, str], None]

#: Niceness of this process, which must not slow down the serving process.
NICENESS = 10
#: Share of the first request's progress that loading takes, 0…1.
LOADING = 0.8
#: Number of modules in memory once everything is imported (tensorflow 2.21), to estimate import progress.
MODULES = 4100


def take_stdout() -> BinaryIO:
    """Reserve stdout for messages to the parent; anything that Python or C++ code prints goes to stderr."""
    ours = os.fdopen(os.dup(1), "wb")
    sys.stdout.flush()
    os.dup2(2, 1)
    return ours


def receive(requests: queue.SimpleQueue[Frame]) -> None:
    """Queue requests from stdin, and exit the process at once when the parent is gone."""
    try:
        while (frame := read_frame(sys.stdin.buffer)) is not None:
            requests.put(frame)
    finally:
        os._exit(0)


@contextmanager
def watch_import(report: Report, start: float, end: float) -> Iterator[None]:
    """Report import progress while tensorflow loads, which takes ten seconds or more."""
    before, done = len(sys.modules), threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            share = min(1.0, (len(sys.modules) - before) / (MODULES - before))
            report(start + (end - start) * share, "Loading tensorflow (only the first time)")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def load(folder: Path, report: Report) -> Explanations:
    """Verify the bundle, import tensorflow, rebuild the network and check that its weights match the bundle.

    Raises:
        SmartBreedError: the bundle cannot be used.
        ImportError: a package is missing.
    """
    from smartbreed.inference.bundle import load_bundle

    report(0.0, "Checking the model's files")
    bundle = load_bundle(folder)
    config = bundle.config.classifier
    report(0.02, "Loading tensorflow (only the first time)")
    with watch_import(report, 0.02, 0.85):
        from training.explain.methods import Explanations
        from training.export.weights_check import check_weights
        from training.models.from_bundle import rebuild_classifier
    report(0.85, "Loading the network")
    model = rebuild_classifier(bundle)
    report(0.95, "Testing the network")
    check_weights(bundle, model)
    return Explanations(model, config.scale, config.offset)


def answer(
    explain: Explanations, request: dict[str, Any], body: bytes, report: Report
) -> tuple[list[int], bytes]:
    """Return the shape and the bytes of the heat map."""
    import numpy as np

    pixels = np.frombuffer(body, np.uint8).reshape(request["shape"])
    heat = explain.heat(pixels, request["index"], request["method"], report)
    return list(heat.shape), np.ascontiguousarray(heat, np.float32).tobytes()


def failure(error: Exception) -> dict[str, str]:
    """Return the error to send to the parent; the traceback of an unexpected one goes to stderr."""
    if isinstance(error, SmartBreedError):
        return error.as_dict()
    traceback.print_exception(error)
    if isinstance(error, ImportError):
        message = (
            f"Deeper explanations cannot load {error.name or 'a package'} on the server; "
            "run `pip install 'smartbreed[explain]'`."
        )
        return {"code": "not_installed", "message": message}
    return {"code": "explanation_failed", "message": "The deeper explanation could not be computed."}


def part(report: Report, start: float, end: float) -> Report:
    """Return a report that maps 0…1 to ``start``…``end`` of ``report``."""
    return lambda share, text: report(start + (end - start) * share, text)


def reporter(replies: BinaryIO, number: int) -> Report:
    """Return a report that sends progress messages about request ``number``."""
    return lambda share, text: write_frame(replies, {"id": number, "progress": round(share, 3), "text": text})


def serve(folder: Path, replies: BinaryIO, requests: queue.SimpleQueue[Frame]) -> None:
    """Answer requests. The first one loads the bundle; return if that fails."""
    explain: Explanations | None = None
    while True:
        request, body = requests.get()
        number = request["id"]
        report = reporter(replies, number)
        try:
            if explain is None:
                explain = load(folder, part(report, 0, LOADING))
                report = part(report, LOADING, 1)
            shape, heat = answer(explain, request, body, report)
        except Exception as error:
            write_frame(replies, {"id": number, "error": failure(error)})
            if explain is None:
                return
        else:
            write_frame(replies, {"id": number, "shape": shape}, heat)


def main() -> None:
    """Run the worker until the parent is gone or the bundle cannot be loaded."""
    replies = take_stdout()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # tensorflow would reserve all of a GPU's memory
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    requests: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=receive, args=(requests,), daemon=True).start()
    try:
        serve(Path(sys.argv[1]), replies, requests)
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)  # a normal exit would fail on the other thread, which is blocked in a read


if __name__ == "__main__":
    main()
