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
from smartbreed.images import Photo
from smartbreed.vision.boxes import iou
from smartbreed.vision.bundle import FORMAT, write_config
from smartbreed.vision.classifier import softmax
from smartbreed.vision.identify import Identifier, self_test_picture
from training.architectures.mobilenet_v2 import build_classifier
from training.architectures.ssd_mobilenet_v1 import build_detector
from training.calibration import fit_logistic, fit_temperature, precision_threshold
from training.data import HELD_BACK, Crops, Scene, held_back, load_crops, load_scenes, split_scenes
from training.export import round_to_half, save_half_weights, to_litert
from training.replay import choose, save_replay
from training.train_classifier import embed, embed_logits

#: Of the answers given as a breed (as a group), at least this share is right on the held-back data.
PRECISION = 0.95
#: At most this share of the held-back pet-less photographs may be called a breed when taken as a pet.
CALLED_A_BREED = 0.05
REPLAY_PER_BREED = 40
#: Detector score from which on the classifier is asked for its opinion.
CANDIDATE = 0.1


def as_photo(pixels: np.ndarray, name: str = "") -> Photo:
    """A decoded training picture as the pipeline's input."""
    return Photo(np.ascontiguousarray(pixels), "", name)


def verdict_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, groups: np.ndarray, empty: np.ndarray
) -> dict[str, float]:
    """Thresholds for ``breed`` and ``group``.

    Args:
        probabilities: calibrated, of held-back crops, ``(n, c)``.
        labels: their labels ``(n,)``.
        groups: group number of each label ``(c,)``.
        empty: calibrated probabilities of pet-less pictures ``(m, c)``.
    """
    confidence = probabilities.max(1)
    breed = precision_threshold(confidence, probabilities.argmax(1) == labels, PRECISION)
    breed = max(breed, float(np.quantile(empty.max(1), 1 - CALLED_A_BREED)))
    member = np.eye(groups.max() + 1)[groups]
    by_group, empty_groups = probabilities @ member, empty @ member
    rest = confidence < breed
    group = precision_threshold(by_group[rest].max(1), by_group[rest].argmax(1) == groups[labels][rest], 0.9)
    group = max(group, float(np.quantile(empty_groups.max(1), 1 - CALLED_A_BREED)))
    return {"breed": round(breed, 4), "group": round(group, 4)}


def pet_threshold(pets: list[float], empty: list[float]) -> float:
    """Smallest probability that at most 2% of pet-less pictures reach, within what 98% of the pets reach.

    Args:
        pets: best probability of a right box (0 if none) of each held-back photograph with a pet.
        empty: best probability of each held-back pet-less photograph.
    """
    ranked = sorted(empty, reverse=True)
    allowed_alarms = int(0.02 * len(ranked))
    wanted = ranked[allowed_alarms] + 1e-3 if len(ranked) > allowed_alarms else 0.0
    return round(float(np.clip(min(wanted, np.quantile(pets, 0.02)), 0.2, 0.95)), 4)


def candidates_of(identifier: Identifier, scene: Scene) -> list[tuple[float, float, bool]]:
    """``(detector logit, largest breed logit, right)`` of every candidate box of a scene."""
    rows = []
    for pet in identifier.identify(as_photo(scene.image), score=CANDIDATE).pets:
        right = len(scene.boxes) > 0 and iou(np.array([pet.box]), scene.boxes).max() >= 0.5
        score = min(max(pet.score, 1e-6), 1 - 1e-6)
        rows.append((float(np.log(score / (1 - score))), float(pet.logits.max()), bool(right)))
    return rows


def confirmation(identifier: Identifier, scenes: list[Scene]) -> tuple[dict[str, float], float]:
    """The second look's weights and the threshold on its probability, from held-back scenes."""
    found = [candidates_of(identifier, scene) for scene in scenes]
    # A doubtful box beside a true pet may be a part of it: neither a fair example of a pet nor of none.
    rows = np.array([r for s, c in zip(scenes, found, strict=True) for r in c if r[2] or not len(s.boxes)])
    (detector, breed), bias = fit_logistic(rows[:, :2], rows[:, 2] > 0)

    def best(candidates: list[tuple[float, float, bool]], *, right_only: bool) -> float:
        chances = [detector * d + breed * b + bias for d, b, right in candidates if right or not right_only]
        return float(1 / (1 + np.exp(-max(chances)))) if chances else 0.0

    threshold = pet_threshold(
        [best(c, right_only=True) for s, c in zip(scenes, found, strict=True) if len(s.boxes)],
        [best(c, right_only=False) for s, c in zip(scenes, found, strict=True) if not len(s.boxes)],
    )
    weights = {"candidate": CANDIDATE, "detector": detector, "classifier": breed, "bias": bias}
    return {key: round(float(value), 4) for key, value in weights.items()}, threshold


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


if __name__ == "__main__":
    typer.run(main)
