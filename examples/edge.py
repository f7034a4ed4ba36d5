"""Name the pets in one photo with ai-edge-litert, numpy and Pillow alone: ``python edge.py FOLDER PHOTO``.

FOLDER holds detector.tflite and classifier.tflite, whose metadata describes their inputs and outputs.
Files without metadata need their bundle's config.json beside them. Copy this file anywhere.
"""

import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps


def network(folder: Path, part: dict[str, Any]) -> Callable[..., Any]:
    """Return a function that runs a network on a box in a picture and returns its named outputs."""
    run = Interpreter(str(folder / part["file"])).get_signature_runner()
    side = (part["input_size"], part["input_size"])

    def call(picture: Image.Image, box: Any) -> Any:
        pixels = picture.resize(side, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
        return run(image=np.asarray(pixels, np.float32)[None] * part["scale"] + part["offset"])

    return call


def settings(path: Path) -> Any:
    """Read a network's labels, scaling and thresholds from the zip behind it, or from config.json."""
    if zipfile.is_zipfile(path):
        return json.loads(zipfile.ZipFile(path).read("network.json"))
    return json.loads((path.parent / "config.json").read_text())[path.stem]


def anchors(grids: tuple[int, ...] = (19, 10, 5, 3, 2, 1)) -> Iterator[tuple[float, ...]]:
    """Yield the anchors of SSD MobileNet: y and x of the centre, height, width in 0…1."""
    scales = [*np.linspace(0.2, 0.95, len(grids)), 1.0]
    for level, grid in enumerate(grids):
        shapes = [(scales[level], ratio) for ratio in (1, 2, 0.5, 3, 0.3333)]
        shapes.append((np.sqrt(scales[level] * scales[level + 1]), 1))
        shapes = shapes if level else [(0.1, 1), (scales[0], 2), (scales[0], 0.5)]
        for y, x in np.ndindex(grid, grid):
            for size, ratio in shapes:
                yield (y + 0.5) / grid, (x + 0.5) / grid, size / np.sqrt(ratio), size * np.sqrt(ratio)


def common(a: np.ndarray, b: np.ndarray) -> float:
    """Return the area that two boxes share."""
    return float(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod())


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over union of two boxes."""
    return common(a, b) / (common(a, a) + common(b, b) - common(a, b))


def main(folder: Path, photo: str) -> None:
    detector, classifier = (settings(folder / f"{name}.tflite") for name in ("detector", "classifier"))
    find, name = network(folder, detector), network(folder, classifier)
    picture = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    size = np.array(picture.size * 2)
    found, grid = find(picture, (0, 0, *picture.size)), np.array(list(anchors()))
    scores = 1 / (1 + np.exp(-found["scores"][0].max(1)))
    centre = found["boxes"][0, :, :2] / 10 * grid[:, 2:] + grid[:, :2]
    half = np.exp(found["boxes"][0, :, 2:] / 5) * grid[:, 2:] / 2
    boxes = np.clip(np.hstack([centre - half, centre + half])[:, [1, 0, 3, 2]], 0, 1) * size
    rule = detector["confirm"]
    kept: list[np.ndarray] = []
    shown: list[np.ndarray] = []
    for place in np.argsort(-scores)[: (scores >= rule["candidate"]).sum()]:
        box = boxes[place]
        if all(overlap(box, other) <= detector["overlap"] for other in kept):
            kept.append(box)
            margin = classifier["margin"] * np.tile(box[2:] - box[:2], 2) * [-1, -1, 1, 1]
            logits = name(picture, np.clip(box + margin, 0, size))["logits"][0]
            # Detector and classifier decide together whether it is a pet.
            evidence = rule["detector"] * np.log(scores[place] / (1 - scores[place]))
            evidence += rule["classifier"] * logits.max() + rule["bias"]
            # A box that lies inside a pet already shown is a part of it.
            part = any(common(box, other) > 0.9 * common(box, box) for other in shown)
            if 1 / (1 + np.exp(-evidence)) >= detector["score"] and not part:
                shown.append(box)
                likely = np.exp((logits - logits.max()) / classifier["temperature"])
                label, share = classifier["labels"][int(likely.argmax())], likely.max() / likely.sum()
                print(f"{label['name']}: {share:.0%}, box {[round(float(edge)) for edge in box]}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
