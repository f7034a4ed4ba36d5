"""Train a detector as a recipe says: composed scenes, every layer, the average of the weights kept."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from training.augment.pasted_pets import pasted_crops
from training.augment.scenes import SceneComposer
from training.common.errors import InitialWeightsError
from training.common.run_directory import RunDirectory
from training.data import Scene
from training.data.accepted_scenes import training_scenes
from training.fitting.classifier import fit_settings
from training.fitting.detector_batches import SceneBatches
from training.fitting.detector_validation import detect, evaluate, hardness
from training.fitting.fit import fit
from training.fitting.ssd_loss import SSDLoss
from training.fitting.tracking import trackers
from training.models.initial_weights import load_plain, read_npz
from training.models.ssd_mobilenet_v1 import build_detector
from training.recipe.recipe import Recipe

WEIGHTS = "detector.weights.h5"
#: COCO's numbers of the classes kept, in our order (cat, dog).
COCO_COLUMNS = (17, 18)
COCO_CLASSES = 91


def coco_start(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep only the cat and dog columns of every score head."""
    arrays = dict(arrays)
    for key in [key for key in arrays if key.startswith("cls_")]:
        values = arrays[key].reshape(*arrays[key].shape[:-1], -1, COCO_CLASSES)
        arrays[key] = values[..., list(COCO_COLUMNS)].reshape(*arrays[key].shape[:-1], -1)
    return arrays


def build_detector_start(recipe: Recipe) -> keras.Model:
    """The detector with its start weights.

    Raises:
        InitialWeightsError: the file is not there or does not fit.
    """
    model, start = build_detector(alpha=recipe.model.alpha), recipe.model.start
    if start == "none":
        return model
    path = Path(start).expanduser()
    if not path.is_file():
        raise InitialWeightsError(f"A detector starts from a file or none. Received: model.start={start}")
    try:
        if path.suffix == ".npz":
            arrays = read_npz(path)
            coco = arrays.get("cls_0/bias", np.zeros(0)).size != model.get_layer("cls_0").bias.shape[0]
            missing = load_plain(model, coco_start(arrays) if coco else arrays)
        else:
            missing = []
            model.load_weights(path)
    except (ValueError, KeyError, OSError, IndexError):
        missing = ["most layers"]
    if missing:
        raise InitialWeightsError(
            f"The start weights do not fit {', '.join(missing)} of the detector of width "
            f"{recipe.model.alpha}. "
            f"Received: model.start={start}"
        )
    return model


def scene_composer(recipe: Recipe, train: list[Scene], model: keras.Model) -> SceneComposer:
    """Draws training scenes; what the start network takes for a pet is shown more often."""
    empties = [scene.image for scene in train if not len(scene.boxes)]
    return SceneComposer(
        pets=[(s.image, s.boxes, s.species) for s in train if len(s.boxes)],
        empties=empties,
        empty_weights=hardness(detect(model, empties)),
        crops=pasted_crops(recipe.data, recipe.seed),
    )


def train_detector(recipe: Recipe, run: RunDirectory) -> dict[str, Any]:
    """Train, or go on training, and leave ``detector.weights.h5`` and ``training.json``.

    Raises:
        InitialWeightsError: the start weights cannot be used.
    """
    keras.utils.set_random_seed(recipe.seed)
    data = recipe.data
    train, validation = training_scenes(data.source, data.scenes, data.accepted)
    model = build_detector_start(recipe)
    composer = scene_composer(recipe, train, model)
    log: dict[str, Any] = {"started": time.time(), "start": evaluate(model, validation)}
    run.say(f"start weights: {sentence(log['start'])}", **log["start"])
    choices = recipe.train
    student = keras.Model(
        model.input, layers.Concatenate(axis=-1)([model.output["boxes"], model.output["scores"]])
    )
    steps = choices.steps or max(1, len(train) // choices.batch)
    log["epochs"] = fit(
        student, SceneBatches(composer, steps, choices.batch, recipe.seed),
        fit_settings(choices, choices.epochs * steps), run.folder,
        loss=SSDLoss(),
        evaluate=lambda: evaluate(model, validation),
        save=model.save_weights,
        report=lambda entry: run.say(
            f"epoch {entry['epoch']} of {choices.epochs}: loss {entry['loss']:.3f}, {sentence(entry)}",
            **entry,
        ),
        callbacks=trackers(recipe, run.folder),
    )  # fmt: skip
    model.load_weights(run / f"{'best' if choices.keep == 'best' else 'averaged'}.weights.h5")
    model.save_weights(run / WEIGHTS)
    run.write_json("training.json", log)
    return log


def sentence(figures: dict[str, float]) -> str:
    """Held-back figures for people."""
    return (
        f"mAP {figures['map']:.3f}, AP50 {figures['ap50']:.3f}, recall {figures['recall@0.4']:.1%} and "
        f"{figures['false_alarms@0.4']:.1%} false alarms at 0.4"
    )
