"""Compare the app's pipeline with the usual Keras code: ``python -m benchmarks.identify``.

Three sides process the same photographs:

* Ours: bytes → decode → detector → classifier → Identification → Grad-CAM overlay, with LiteRT.
* Bare: only ``invoke`` of both networks, on the inputs that the pipeline makes, with as many threads.
* Usual: Keras' ``model.predict`` for both networks, and tf-keras-vis for Grad-CAM.

They run in turns, each in its own process, so that none profits from another's warm caches and each has its
own peak memory.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.bare import inputs_of, invoker
from benchmarks.conditions import noted
from benchmarks.photographs import DATA, photographs
from benchmarks.sheet import NONE, Sheet, show
from benchmarks.sides import Found, in_turns, median, peak_megabytes, print_found, ratio, run_side

#: Goals at the median: largest ratio to the time of the bare networks, and smallest speed-up over Keras.
MOST_OF_BARE, LEAST_OF_USUAL = 1.6, 20


def run_ours(photos: list[bytes]) -> Found:
    """Measure the pipeline's times in ms, and the share of its CPU time spent outside the two networks."""
    from smartbreed.core.settings import load_settings
    from smartbreed.inference.runtime import Network
    from smartbreed.services import Services

    inside = [0.0]
    original = Network.__call__

    def timed(self: Network, image: np.ndarray) -> dict[str, np.ndarray]:
        started = time.process_time()
        result = original(self, image)
        inside[0] += time.process_time() - started
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
    found = _timed(photos, once, warm=False)
    outside = 1 - inside[0] / sum(found["cpu"]) * 1000
    assert "tensorflow" not in sys.modules
    return {**found, "outside": outside}


def run_bare(photos: list[bytes]) -> Found:
    """Measure the times of both networks alone, in ms per photo."""
    from smartbreed.core.settings import load_settings
    from smartbreed.inference.runtime import NETWORK_THREADS
    from smartbreed.services import Services

    services = Services(load_settings())
    inputs = [inputs_of(services.identifier, services.read(data)) for data in photos]
    invoke = invoker(services.identifier, NETWORK_THREADS)
    return _timed(inputs, invoke)


def _timed(items: list[Any], once: Callable[[Any], object], warm: bool = True) -> Found:
    """Measure ms and CPU ms of each item, and peak memory; ``warm`` runs the first item once beforehand."""
    if warm:
        once(items[0])
    found: Found = {"times": [], "cpu": []}
    for item in items:
        started, used = time.perf_counter(), time.process_time()
        once(item)
        found["times"].append((time.perf_counter() - started) * 1000)
        found["cpu"].append((time.process_time() - used) * 1000)
    return {**found, "peak": peak_megabytes()}


def run_usual(photos: list[bytes]) -> Found:
    """Measure the times in ms of Keras ``predict`` for both networks and tf-keras-vis for the overlay."""
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

    return _timed(photos, once)


_SIDES: dict[str, tuple[str, Callable[[list[bytes]], Found]]] = {
    "ours": ("SmartBreed (LiteRT)", run_ours),
    "bare": ("bare invoke of both networks", run_bare),
    "usual": ("Keras predict + tf-keras-vis", run_usual),
}


def measure(data: str = DATA, photos: int = 60, rounds: int = 3) -> Iterator[Sheet]:
    """Measure all sides and yield the table.

    Args:
        data: folder of photographs.
        photos: number of photographs.
        rounds: turns of each side.
    """
    words = ["--data", data, "--photos", str(photos)]
    sheet = Sheet(
        f"Bytes → Identification with overlays, {photos} photographs, {rounds} rounds in turns",
        ("", "p50 ms", "p95 ms", "CPU ms, p50", "images/s", "peak MB", "CPU outside the networks"),
    )
    with noted([sheet]):
        results = in_turns(
            {side: partial(run_side, "identify", side, words) for side in _SIDES}, rounds, "path"
        )
    for side, runs in results.items():
        times = [t for one in runs for t in one["times"]]
        outside = f"{median(one['outside'] for one in runs):.0%}" if side == "ours" else NONE
        sheet.add(
            _SIDES[side][0], f"{np.percentile(times, 50):.1f}", f"{np.percentile(times, 95):.1f}",
            f"{median(t for one in runs for t in one['cpu']):.1f}", f"{1000 / np.mean(times):.1f}",
            f"{max(one['peak'] for one in runs):.0f}", outside,
        )  # fmt: skip
    for figure, name in (("times", "At p50"), ("cpu", "By CPU time")):
        middle = {side: [median(one[figure]) for one in runs] for side, runs in results.items()}
        sheet.notes.append(
            f"{name}, median of the rounds: {ratio(middle['ours'], middle['bare']):.2f} times the bare "
            f"networks (goal: at most {MOST_OF_BARE}), {ratio(middle['usual'], middle['ours']):.1f} times as "
            f"fast as the usual way (goal: at least {LEAST_OF_USUAL})."
        )
    yield sheet


#: Arguments of `measure` for a smoke test.
QUICK: dict[str, Any] = {"photos": 3, "rounds": 1}


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with the scenes test split.")] = DATA,
    photos: Annotated[int, typer.Option(help="Photographs.")] = 60,
    rounds: Annotated[int, typer.Option(help="Turns of each side.")] = 3,
    side: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print the table."""
    if side:
        print_found(_SIDES[side][1](photographs(data, photos)))
    else:
        show(measure(data, photos, rounds))


if __name__ == "__main__":
    typer.run(main)
