"""Train a detector as a recipe says: on composed scenes, all layers, keeping the average of the weights.

Also here: batches of scenes, and detection and evaluation with a network in training.
"""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from keras import layers
from PIL import Image

from smartbreed.core.files import expanded
from smartbreed.inference.boxes import decode, non_maximum_suppression, ssd_anchors
from training.augment.pasted_pets import pasted_crops
from training.augment.scenes import SceneComposer
from training.common.errors import InitialWeightsError
from training.common.run_directory import RunDirectory
from training.data import Scene
from training.data.detector_photos import detector_photos
from training.evaluation.detection_metrics import Detections, average_precision, false_alarm_rate, recall
from training.fitting.classifier import fit_settings
from training.fitting.fit import fit
from training.fitting.ssd_loss import SSDLoss, match
from training.fitting.tracking import trackers
from training.models.embeddings import scale
from training.models.initial_weights import load_plain, read_npz
from training.models.ssd_mobilenet_v1 import SIZE, build_detector
from training.recipe.recipe import Recipe


def detect(
    model: keras.Model, images: list[np.ndarray], *, score: float = 0.05, overlap: float = 0.5
) -> list[Detections]:
    """Return boxes in 0…1 and scores of each picture after suppression, to evaluate a network in training."""
    anchors, results = ssd_anchors(), []
    for start in range(0, len(images), 16):
        batch = np.stack(
            [
                np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
                for image in images[start : start + 16]
            ]
        )
        output = model.predict_on_batch(scale(batch))
        for codes, logits in zip(np.asarray(output["boxes"]), np.asarray(output["scores"]), strict=True):
            scores = 1 / (1 + np.exp(-logits.max(1)))
            likely = scores >= score
            boxes = np.clip(decode(codes[likely], anchors[likely]), 0, 1)
            kept = non_maximum_suppression(boxes, scores[likely], overlap, 20)
            results.append((boxes[kept], scores[likely][kept]))
    return results


def evaluate(model: keras.Model, scenes: list[Scene]) -> dict[str, float]:
    """Return COCO's mAP (mean AP over IoU .5, .55 … .95), AP50 and AP75, and figures at several scores.

    Those are ``recall@SCORE`` (IoU .5) and ``false_alarms@SCORE`` on photographs without a pet.
    """
    pets = [scene for scene in scenes if len(scene.boxes)]
    empty = [scene for scene in scenes if not len(scene.boxes)]
    truths = [s.boxes / np.array([s.image.shape[1], s.image.shape[0]] * 2, np.float32) for s in pets]
    found, alarms = detect(model, [s.image for s in pets]), detect(model, [s.image for s in empty])
    by_overlap = {t: average_precision(truths, found, t / 100) for t in range(50, 100, 5)}
    result = {"map": round(float(np.mean(list(by_overlap.values()))), 4)}
    result |= {f"ap{t}": round(by_overlap[t], 4) for t in (50, 75)}
    for score in (0.3, 0.4, 0.5, 0.6):
        result[f"recall@{score}"] = round(recall(truths, found, 0.5, score), 4)
        result[f"false_alarms@{score}"] = round(false_alarm_rate(alarms, score), 4)
    return result


#: How often a photograph of several pets is drawn relative to one of a single pet; there are few of them.
GROUPS = 3.0


def hardness(detections: list[Detections]) -> np.ndarray:
    """Return draw weights 1…7 of pet-less photographs, growing with the start network's best pet score.

    Without COCO's other 88 classes to compete with, badgers and monkeys look like dogs.
    """
    return np.array([1 + 6 * min(1.0, 2 * scores.max(initial=0.0)) for _, scores in detections])


class SceneBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of composed scenes with matched targets; the same seed and epoch give the same batches."""

    def __init__(self, composer: SceneComposer, steps: int, batch: int, seed: int) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.composer, self.steps, self.batch, self.seed, self.epoch = composer, steps, batch, seed, 0
        self.anchors = ssd_anchors()
        half = self.anchors[:, 2:] / 2
        low, high = self.anchors[:, :2] - half, self.anchors[:, :2] + half
        self.corners = np.stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]], axis=1)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        samples = [self.composer.draw(rng) for _ in range(self.batch)]
        targets = [match(s.boxes, s.species, self.anchors, self.corners, 2) for s in samples]
        return scale(np.stack([s.pixels for s in samples])), np.stack(targets)

    def start_epoch(self, epoch: int) -> None:
        """Select the scenes of ``epoch``, counted from 0; a resumed run starts at a later one."""
        self.epoch = epoch

    def on_epoch_end(self) -> None:
        self.epoch += 1


WEIGHTS = "detector.weights.h5"
#: COCO's class numbers, which are columns of its score heads, of the classes kept (cat, dog).
COCO_COLUMNS = (17, 18)
#: Columns per anchor in COCO's score heads.
COCO_CLASSES = 91


def coco_start(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep only the cat and dog columns of every score head."""
    arrays = dict(arrays)
    for key in [key for key in arrays if key.startswith("cls_")]:
        values = arrays[key].reshape(*arrays[key].shape[:-1], -1, COCO_CLASSES)
        arrays[key] = values[..., list(COCO_COLUMNS)].reshape(*arrays[key].shape[:-1], -1)
    return arrays


def build_detector_start(recipe: Recipe) -> keras.Model:
    """Build the detector and load its start weights.

    Raises:
        InitialWeightsError: the file is missing or does not fit.
    """
    model, start = build_detector(alpha=recipe.model.alpha), recipe.model.start
    if start == "none":
        return model
    path = expanded(start)
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
    """Return a source of training scenes that shows pictures the start network takes for a pet more often."""
    pets = [scene for scene in train if len(scene.boxes)]
    empties = [scene.image for scene in train if not len(scene.boxes)]
    return SceneComposer(
        pets=[(s.image, s.boxes, s.species) for s in pets],
        pet_weights=np.where([len(s.boxes) > 1 for s in pets], GROUPS, 1.0),
        empties=empties,
        empty_weights=hardness(detect(model, empties)),
        crops=pasted_crops(recipe.data, recipe.seed),
    )


def train_detector(recipe: Recipe, run: RunDirectory) -> dict[str, Any]:
    """Train, or resume training; leave ``detector.weights.h5`` and ``training.json``.

    Returns:
        The content of ``training.json``.

    Raises:
        InitialWeightsError: the start weights cannot be used.
    """
    keras.utils.set_random_seed(recipe.seed)
    data = recipe.data
    photos = detector_photos(data.source, data.scenes, data.accepted, data.others, data.held_classes)
    train, validation = photos.train, photos.held_back
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
    """Return the held-back figures as a sentence."""
    return (
        f"mAP {figures['map']:.3f}, AP50 {figures['ap50']:.3f}, recall {figures['recall@0.4']:.1%} and "
        f"{figures['false_alarms@0.4']:.1%} false alarms at 0.4"
    )
