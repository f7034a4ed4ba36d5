"""Our pipeline against the usual way, on the same photographs in one run: ``python -m benchmarks.identify``.

Ours: bytes → decode → detector → classifier → Identification → Grad-CAM overlay, with LiteRT.
The usual way: the same photographs through Keras' ``model.predict`` for both networks
and tf-keras-vis for Grad-CAM. Each side runs in a process of its own, in turns, so
that neither profits from the other's warm caches and peak memory is its own.
It also compares the start of ``app.py`` with that of an empty Blocks app.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parent.parent


def photographs(data: str, count: int) -> list[bytes]:
    """JPEG bytes of whole photographs: the scenes test split, or drawn ones without it."""
    path = Path(data) / "scenes" / "test-00000-of-00001.parquet"
    if path.exists():
        import pyarrow.parquet as pq

        rows = pq.read_table(path, columns=["image"])["image"].to_pylist()
        return [row["bytes"] for row in rows][:count]
    from PIL import Image

    rng, pictures = np.random.default_rng(0), []
    for _ in range(count):
        small = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(small).resize((500, 375)).save(buffer, "JPEG", quality=90)
        pictures.append(buffer.getvalue())
    return pictures


def peak_megabytes() -> float:
    """Peak resident memory of this process, MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_ours(photos: list[bytes]) -> dict[str, Any]:
    """Times of our pipeline in ms, and the share of it spent outside the two networks."""
    from smartbreed.core.settings import load_settings
    from smartbreed.inference.runtime import Network
    from smartbreed.services import Services

    inside = [0.0]
    original = Network.__call__

    def timed(self: Network, image: np.ndarray) -> dict[str, np.ndarray]:
        started = time.perf_counter()
        result = original(self, image)
        inside[0] += time.perf_counter() - started
        return result

    Network.__call__ = timed  # type: ignore[method-assign]
    services = Services(load_settings())
    identifier = services.identifier

    def once(data: bytes) -> None:
        photo = services.read(data)
        for pet in identifier.identify(photo).pets:
            identifier.explain(photo, pet)

    once(photos[0])
    inside[0] = 0.0
    times = []
    for data in photos:
        started = time.perf_counter()
        once(data)
        times.append((time.perf_counter() - started) * 1000)
    outside = 1 - inside[0] * 1000 / sum(times)
    assert "tensorflow" not in sys.modules
    return {"times": times, "peak": peak_megabytes(), "outside": outside}


def run_usual(photos: list[bytes]) -> dict[str, Any]:
    """Times in ms of Keras ``predict`` for both networks and tf-keras-vis for the overlay."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from PIL import Image
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    from smartbreed.core.settings import load_settings
    from smartbreed.inference.boxes import decode, non_maximum_suppression, ssd_anchors
    from smartbreed.inference.grad_cam import overlay
    from smartbreed.registry import open_bundle
    from training.models.backbones import backbone_layers, build_backbone
    from training.models.ssd_mobilenet_v1 import build_detector

    bundle = open_bundle(load_settings())
    detector = build_detector()
    detector.load_weights(bundle.path("detector.weights.h5"))
    config = bundle.config.classifier
    side = config.input_size
    classifier = build_backbone(config.architecture, len(config.labels), input_size=side, alpha=config.alpha)
    classifier.load_weights(bundle.path("classifier.weights.h5"))
    features = backbone_layers(classifier)[-1].name
    logits = keras.Model(classifier.input, classifier.output["logits"])
    cam = Gradcam(logits, clone=True)
    anchors = ssd_anchors()
    assert bundle.config.detector is not None
    threshold = bundle.config.detector.score

    def once(data: bytes) -> None:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        pixels = np.asarray(picture.resize((300, 300)), np.float32)[None] / 127.5 - 1
        output = detector.predict(pixels, verbose=0)
        scores = 1 / (1 + np.exp(-output["scores"][0].max(1)))
        likely = scores >= threshold
        boxes = np.clip(decode(output["boxes"][0][likely], anchors[likely]), 0, 1)
        for index in non_maximum_suppression(boxes, scores[likely], 0.5, 20):
            x0, y0, x1, y1 = (
                (boxes[index] * np.array([picture.width, picture.height] * 2)).astype(int).tolist()
            )
            crop = np.asarray(picture.crop((x0, y0, x1, y1)).resize((side, side)))
            values = crop[None].astype(np.float32) / 127.5 - 1
            best = int(logits.predict(values, verbose=0)[0].argmax())
            overlay(crop, cam(CategoricalScore(best), values, penultimate_layer=features)[0])

    once(photos[0])
    times = []
    for data in photos:
        started = time.perf_counter()
        once(data)
        times.append((time.perf_counter() - started) * 1000)
    return {"times": times, "peak": peak_megabytes()}


EMPTY_APP = """
import gradio as gr
with gr.Blocks() as demo:
    gr.Markdown("empty")
demo.launch(quiet=True)
"""


def start_app(command: list[str], port: int) -> tuple[float, float]:
    """Seconds until the page answers, and resident memory then (MB), of a server process."""
    import tempfile
    import urllib.request

    import psutil

    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "SMARTBREED_HOME": home,
        }
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                        answer.read()
                    break
                except OSError:
                    if process.poll() is not None or time.perf_counter() - started > 120:
                        raise RuntimeError(f"{command} did not start") from None
                    time.sleep(0.02)
            seconds = time.perf_counter() - started
            return seconds, psutil.Process(process.pid).memory_info().rss / 2**20
        finally:
            process.terminate()
            process.wait(20)


def child(side: str, data: str, count: int) -> dict[str, Any]:
    """Run one side in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.identify",
        "--side",
        side,
        "--data",
        data,
        "--photos",
        str(count),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(
    data: Annotated[
        str, typer.Option(help="Dataset folder with the scenes test split.")
    ] = "../shared/data/pets",
    photos: Annotated[int, typer.Option(help="Photographs.")] = 60,
    rounds: Annotated[int, typer.Option(help="Turns of each side.")] = 2,
    side: Annotated[str, typer.Option(hidden=True)] = "",
    app: Annotated[bool, typer.Option(help="Also measure the start of the app.")] = True,
) -> None:
    """Print the tables."""
    if side:
        pictures = photographs(data, photos)
        print(json.dumps({"ours": run_ours, "usual": run_usual}[side](pictures)))
        return
    console = Console(width=110)
    results: dict[str, list[dict[str, Any]]] = {"ours": [], "usual": []}
    for _ in range(rounds):
        for name in results:
            results[name].append(child(name, data, photos))
    times = {name: [t for r in runs for t in r["times"]] for name, runs in results.items()}
    table = Table(title=f"bytes → Identification with overlays, {photos} photographs × {rounds}")
    for heading in ("", "p50 ms", "p95 ms", "images/s", "peak MB", "outside the networks"):
        table.add_column(heading, justify="right" if heading else "left")
    names = {"ours": "SmartBreed (LiteRT)", "usual": "Keras predict + tf-keras-vis"}
    for name, runs in results.items():
        outside = f"{statistics.median(r['outside'] for r in runs):.0%}" if name == "ours" else "–"
        table.add_row(
            names[name], f"{np.percentile(times[name], 50):.1f}", f"{np.percentile(times[name], 95):.1f}",
            f"{1000 / np.mean(times[name]):.1f}", f"{max(r['peak'] for r in runs):.0f}", outside,
        )  # fmt: skip
    console.print(table)
    console.print(
        f"ours is {np.percentile(times['usual'], 50) / np.percentile(times['ours'], 50):.1f}× as fast at p50"
    )
    if app:
        commands = {
            "an empty Blocks app": [sys.executable, "-c", EMPTY_APP],
            "app.py": [sys.executable, "app.py"],
        }
        starts: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(3):
            for offset, (name, command) in enumerate(commands.items()):
                starts[name].append(start_app(command, 17860 + 2 * turn + offset))
        table = Table(title="Start, three times each, median")
        for heading in ("", "seconds to the first page", "resident MB"):
            table.add_column(heading, justify="right" if heading else "left")
        medians = {
            name: [statistics.median(column) for column in zip(*rows, strict=True)]
            for name, rows in starts.items()
        }
        for name, (seconds, megabytes) in medians.items():
            table.add_row(name, f"{seconds:.2f}", f"{megabytes:.0f}")
        console.print(table)
        empty, ours = medians.values()
        console.print(f"app.py: {ours[0] / empty[0]:.2f}× the time, {ours[1] - empty[1]:+.0f} MB")


if __name__ == "__main__":
    typer.run(main)
