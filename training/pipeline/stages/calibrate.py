"""Fit temperature and thresholds on held-back pictures and write them to ``calibration.json``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from smartbreed.inference.classifier import softmax
from smartbreed.inference.picture_quality import NO_FAULTS, faults_of
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.pixels import resample
from training.augment.crops import MILD
from training.augment.degradations import degrade
from training.calibration.box_verification import PLAIN_SCORE, fit_box_verification
from training.calibration.quality import fit_fault_weights, fit_other
from training.calibration.temperature import (
    expected_calibration_error,
    fit_temperature,
)
from training.calibration.thresholds import verdict_thresholds
from training.data import Crops, Scene, load_scenes, split_scenes
from training.data.others import Others, load_others
from training.data.prepared import Prepared, load_prepared
from training.data.splits import TRAIN, VALIDATION
from training.evaluation.answers import run as run_crops
from training.export.activation_ranges import range_pictures
from training.export.bundle import (
    UNFINISHED,
    classifier_section,
    copy_network,
    detector_section,
    finish,
    section_of,
    trained_network,
    write_network,
)
from training.models.from_bundle import other_bundle
from training.pipeline.stage import Context
from training.recipe.recipe import Recipe

#: Keys of the classifier's section that are chosen here; the last two only if the recipe asks for them.
CHOSEN = ("temperature", "thresholds", "faults", "other")
#: Cost of a conversion and of a whole photograph in the progress, in network runs on one crop.
CONVERTED, LOOKED_THROUGH = 1000, 4


def run(context: Context) -> dict[str, Any]:
    """Write ``calibration.json`` and return its content."""
    recipe = context.recipe
    scenes = (
        split_scenes(load_scenes(recipe.data.source, "train", recipe.data.scenes, dropped=[]))[1]
        if recipe.data.scenes
        else []
    )
    with tempfile.TemporaryDirectory() as temporary:
        calibrate = _detector if recipe.task == "detect" else _classifier
        found = calibrate(context, Path(temporary), scenes)
    context.run.write_json("calibration.json", found)
    context.run.say(", ".join(f"{key} {value}" for key, value in found.items() if key != "detector"))
    return found


def _classifier(context: Context, folder: Path, scenes: list[Scene]) -> dict[str, Any]:
    recipe, prepared = context.recipe, load_prepared(context.prepared)
    model = trained_network(recipe, context.run, len(prepared.labels))
    asked = len(prepared.part(VALIDATION)) * (1 + recipe.calibrate.views)
    context.run.expect(CONVERTED + asked + LOOKED_THROUGH * len(scenes))
    context.run.advance(0, "Converting the network")
    write_network(model, folder, "classifier", range_pictures(context.recipe, context.prepared))
    section = classifier_section(recipe, prepared.labels, model, {})
    # Fit on the served network, not on the trained one: rounding to its number format changes the logits.
    served = finish(folder, {**UNFINISHED, "classifier": section, "detector": None})
    context.run.advance(CONVERTED, "Converting the network")
    found = _verdicts(context, served, prepared, scenes)
    if recipe.export.detector:
        section |= {key: found[key] for key in CHOSEN if key in found}
        found["detector"] = _box_verification(recipe, folder, section, scenes)
        context.run.advance(LOOKED_THROUGH * len(scenes), "Choosing what is a pet")
    return found


def _verdicts(
    context: Context, served: Identifier, prepared: Prepared, scenes: list[Scene]
) -> dict[str, Any]:
    recipe = context.recipe
    validation, views = prepared.part(VALIDATION), recipe.calibrate.views
    rng = np.random.default_rng(recipe.seed)
    changed = [np.stack([MILD(image, rng) for image in validation.images]) for _ in range(views)]
    asking = "Asking the network about held-back pictures"
    every = np.concatenate(
        [
            _logits(served, images, lambda count: context.run.advance(count, asking))
            for images in (validation.images, *changed)
        ]
    )
    labels, logits = np.tile(validation.labels, 1 + views), every[: len(validation)]
    temperature = round(fit_temperature(every, labels, prior=recipe.calibrate.prior), 4)
    empty = [_squashed(s.image, recipe.model.input_size) for s in scenes if not len(s.boxes)]
    away = _logits(served, np.stack(empty)) if empty else np.zeros((0, logits.shape[1]), np.float32)
    chance = softmax(logits / temperature)
    thresholds = verdict_thresholds(
        softmax(every / temperature), labels, groups_of_labels(prepared.labels), softmax(away / temperature),
        precision=recipe.calibrate.precision,
    )  # fmt: skip
    found: dict[str, Any] = {}
    if recipe.calibrate.degraded:
        found["faults"] = degraded_faults(
            served, validation, every, labels, temperature, copies=recipe.calibrate.degraded,
            caution=recipe.calibrate.caution, seed=recipe.seed,
        )  # fmt: skip
    if recipe.data.others:
        others = load_others(
            recipe.data.source, recipe.data.others, recipe.model.input_size, recipe.data.held_classes
        )
        found["other"] = other_animals(served, prepared.part(TRAIN), validation, others)
    return {
        "temperature": temperature,
        "thresholds": thresholds,
        **found,
        "held_back": {
            "pictures": len(validation),
            "top1": round(float((logits.argmax(1) == validation.labels).mean()), 4),
            "ece": round(_ece(chance, validation), 4),
        },
    }


def degraded_faults(
    served: Identifier,
    validation: Crops,
    clear: np.ndarray,
    clear_labels: np.ndarray,
    temperature: float,
    *,
    copies: int,
    caution: float,
    seed: int,
) -> dict[str, float]:
    """Fit how much faults of a crop raise the temperature: the ``faults`` section of a classifier.

    Args:
        served: the model.
        validation: held-back crops of any size; faults are measured at the model's input size, as in the
            app.
        clear: logits of pictures without faults.
        clear_labels: labels of those pictures.
        temperature: temperature for pictures without faults.
        copies: degraded copies of each crop.
        caution: factor on the maximum-likelihood weights.
        seed: seed of the degradations.
    """
    rng, side = np.random.default_rng(seed), served.classifier.config.input_size
    images = [
        _squashed(np.asarray(degrade(Image.fromarray(image), rng)), side)
        for _ in range(copies)
        for image in validation.images
    ]
    labels, faults = np.tile(validation.labels, copies), [faults_of(image) for image in images]
    logits = _logits(served, np.stack(images))
    weights = fit_fault_weights(
        np.concatenate([clear, logits]), np.concatenate([clear_labels, labels]),
        [NO_FAULTS] * len(clear) + faults, temperature,
    )  # fmt: skip
    return {name: value if name == "most" else round(caution * value, 4) for name, value in weights.items()}


def other_animals(
    served: Identifier, train: Crops, validation: Crops, others: Others, pictures: int = 3000
) -> dict[str, Any]:
    """Fit what tells the embeddings of other animals from those of pets: the ``other`` section.

    It is fitted on crops that the network was trained on; held-back ones choose the threshold.

    Args:
        served: the model.
        train: crops of pets; every nth of them is used.
        validation: held-back crops; with the held-back pets of ``others`` they choose the threshold.
        others: other animals and pets of no breed.
        pictures: number of crops of ``train`` to aim at; fewer than twice as many are used.
    """
    pets, strange = others.species >= 0, others.species < 0
    of_pets = _embeddings(
        served, train.images[:: max(1, len(train) // pictures)], others.images[pets & ~others.held]
    )
    away = _embeddings(served, others.images[strange & ~others.held])
    return fit_other(of_pets, away, _embeddings(served, validation.images, others.images[pets & others.held]))


def _embeddings(served: Identifier, *parts: np.ndarray) -> np.ndarray:
    """Return the embeddings ``(n, d)`` of the uint8 crops of all parts."""
    return np.stack([outputs.embedding for images in parts for outputs in run_crops(served, images)])


def _logits(
    served: Identifier, images: np.ndarray, advance: Callable[[int], None] = lambda count: None
) -> np.ndarray:
    """Return the logits ``(n, labels)`` of uint8 crops."""
    return np.stack([outputs.logits for outputs in run_crops(served, images, advance)])


def _ece(chance: np.ndarray, crops: Crops) -> float:
    return expected_calibration_error(chance.max(1), chance.argmax(1) == crops.labels)


def groups_of_labels(labels: list[dict[str, str]]) -> np.ndarray:
    """Return a group number for each label; a label without a group has a number of its own."""
    members = [label["group"] or label["id"] for label in labels]
    names = sorted(set(members))
    return np.array([names.index(member) for member in members])


def _squashed(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a whole photograph as the app does for the classifier."""
    picture = Image.fromarray(image)
    return resample(picture, (0.0, 0.0, float(picture.width), float(picture.height)), (size, size))


def _box_verification(
    recipe: Recipe, folder: Path, classifier: dict[str, Any], scenes: list[Scene]
) -> dict[str, Any]:
    """Fit how the recipe's detector and this classifier decide together, on held-back photographs."""
    if not scenes:
        return {"score": PLAIN_SCORE, "confirm": None}
    bundle = other_bundle(recipe.export.detector, "export.detector")
    detector = {**section_of(bundle, "detector"), "confirm": None, "score": PLAIN_SCORE}
    copy_network(bundle, detector, folder)
    return _verified_score(folder, classifier, detector, scenes)


def _detector(context: Context, folder: Path, scenes: list[Scene]) -> dict[str, Any]:
    """Fit the same for the run's own detector and another bundle's classifier."""
    bundle = other_bundle(context.recipe.export.classifier, "export.classifier")
    classifier = section_of(bundle, "classifier")
    model = trained_network(context.recipe, context.run, 2)
    write_network(model, folder, "detector", range_pictures(context.recipe, context.prepared))
    copy_network(bundle, classifier, folder)
    return {"detector": _verified_score(folder, classifier, detector_section(), scenes)}


def _verified_score(
    folder: Path, classifier: dict[str, Any], detector: dict[str, Any], scenes: list[Scene]
) -> dict[str, Any]:
    identifier = finish(folder, {**UNFINISHED, "classifier": classifier, "detector": detector})
    verification, score = fit_box_verification(identifier, scenes)
    return {"score": score, "confirm": verification}
