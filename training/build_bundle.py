"""Calibrate and export: ``python -m training.build_bundle --data …``.

Takes the weights of both training runs, chooses temperature and thresholds on
the held-back training data (never on a test split), and writes a model bundle.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from smartbreed.breeds import get_breed
from smartbreed.config import EMBEDDED_BUNDLE
from smartbreed.vision.bundle import FORMAT, write_config
from smartbreed.vision.classifier import softmax
from smartbreed.vision.identify import Identifier, self_test_picture
from training.architectures.mobilenet_v2 import build_classifier
from training.architectures.ssd_mobilenet_v1 import build_detector
from training.calibration import fit_temperature
from training.data import HELD_BACK, Crops, held_back, load_crops, load_scenes, split_scenes
from training.export import round_to_half, save_half_weights, to_litert
from training.head import embed, embed_logits
from training.replay import choose, save_replay
from training.second_look import as_photo, confirmation, pet_threshold
from training.thresholds import verdict_thresholds

REPLAY_PER_BREED = 40


def classifier_section(crops: Crops, bias: np.ndarray) -> dict[str, Any]:
    breeds = [get_breed(name) for name in crops.names]
    return {
        "file": "classifier.tflite",
        "weights": "classifier.weights.h5",
        "architecture": "mobilenet_v2",
        "input_size": 224,
        "scale": 1 / 127.5,
        "offset": -1.0,
        "margin": 0.05,
        "temperature": 1.0,
        "thresholds": {"breed": 0.5, "group": 0.5},
        "labels": [{"id": b.id, "species": b.species, "group": b.group} for b in breeds],
        "bias": [round(float(value), 6) for value in bias],
    }


def main(
    data: Annotated[str, typer.Option(help="Dataset repo or folder.")],
    classifier: Annotated[Path, typer.Option(help="Run directory of the classifier.")] = Path(
        "runs/classifier"
    ),
    detector: Annotated[Path, typer.Option(help="Run directory of the detector.")] = Path("runs/detector"),
    out: Annotated[Path, typer.Option(help="Folder of the bundle.")] = EMBEDDED_BUNDLE,
    version: Annotated[str, typer.Option(help="Version written into the bundle.")] = "1.0.0",
) -> None:
    """Write a bundle; an unfinished one never replaces a good one."""
    crops = load_crops(data, "train")
    kept = held_back(crops.hashes, HELD_BACK)
    validation = crops.take(np.flatnonzero(kept))
    training = crops.take(np.flatnonzero(~kept))
    scenes = split_scenes(load_scenes(data, "train"))[1]

    breeder, finder = build_classifier(len(crops.names)), build_detector()
    breeder.load_weights(classifier / "classifier.weights.h5")
    finder.load_weights(detector / "detector.weights.h5")
    with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
        folder = Path(temporary)
        for model, name in ((breeder, "classifier"), (finder, "detector")):
            round_to_half(model)
            to_litert(model, folder / f"{name}.tflite")
            save_half_weights(model, folder / f"{name}.weights.h5")
        chosen = choose(np.zeros((len(training), 0)), training.labels, REPLAY_PER_BREED)
        save_replay(
            folder / "replay.npz",
            embed(breeder, training.images[chosen]),
            training.labels[chosen],
            crops.names,
        )
        section = classifier_section(crops, breeder.get_layer("class_maps").get_weights()[1])
        config: dict[str, Any] = {
            "format": FORMAT,
            "name": "smartbreed-pets-133",
            "version": version,
            "classifier": section,
            "detector": {
                "file": "detector.tflite", "weights": "detector.weights.h5",
                "architecture": "ssd_mobilenet_v1", "input_size": 300, "scale": 1 / 127.5, "offset": -1.0,
                "species": ["cat", "dog"], "score": 0.4, "overlap": 0.5, "most": 20,
            },
            "parents": [],
            "training": {
                name: json.loads((run / "training.json").read_text())
                for name, run in (("classifier", classifier), ("detector", detector))
            },
        }  # fmt: skip
        write_config(folder, config)
        identifier = Identifier.load(folder)

        logits = embed_logits(breeder, validation.images)
        section["temperature"] = round(fit_temperature(logits, validation.labels), 4)
        empty_scenes = [s for s in scenes if not len(s.boxes)]
        whole = [identifier.identify(as_photo(s.image), whole=True).pets[0].logits for s in empty_scenes]
        names = sorted({label["group"] for label in section["labels"]})
        groups = np.array([names.index(label["group"]) for label in section["labels"]])
        section["thresholds"] = verdict_thresholds(
            softmax(logits / section["temperature"]), validation.labels, groups,
            softmax(np.stack(whole) / section["temperature"]),
        )  # fmt: skip
        config["detector"]["confirm"], config["detector"]["score"] = confirmation(identifier, scenes)
        picture = self_test_picture(section["input_size"])
        config["self_test"] = {
            "logits": [round(float(value), 4) for value in identifier.classifier.run(picture).logits]
        }
        write_config(folder, config)
        Identifier.load(folder)
        out.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir(), key=lambda p: p.name == "config.json"):
            path.replace(out / path.name)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    print(f"{out}: {size:.1f} MB, temperature {section['temperature']}, thresholds {section['thresholds']},")
    print(f"detector score {config['detector']['score']}")


__all__ = ["as_photo", "confirmation", "main", "pet_threshold", "verdict_thresholds"]

if __name__ == "__main__":
    typer.run(main)
