"""Evaluate detector and classifier on whole photographs, as the app answers them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from smartbreed.imaging.photo import Photo
from smartbreed.inference.boxes import iou
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Pet
from training.data import Scene
from training.evaluation.detection_metrics import (
    Detections,
    average_precision,
    coco_map,
    false_alarm_rate,
    recall,
)
from training.evaluation.intervals import wilson_interval

#: Species by their number in a `Scene`.
SPECIES = ("cat", "dog")
#: Smallest score of a box that counts for average precision.
LEAST = 0.001


@dataclass(frozen=True)
class Seen:
    """Whole photographs and the pets found on them.

    Attributes:
        scenes: photographs with true boxes.
        found: pets that `find_pets` finds on each of them.
        empty: pet-less photographs that nothing was trained on.
        alarms: pets that `find_pets` finds on each of these.
    """

    scenes: Sequence[Scene]
    found: list[tuple[Pet, ...]]
    empty: Sequence[Scene]
    alarms: list[tuple[Pet, ...]]


def run_photographs(identifier: Identifier, scenes: Sequence[Scene], empty: Sequence[Scene]) -> Seen:
    """Find the pets on all photographs."""
    return Seen(scenes, find_pets(identifier, scenes), empty, find_pets(identifier, empty))


def as_photo(pixels: np.ndarray, name: str = "") -> Photo:
    """Wrap decoded pixels as input of the pipeline."""
    return Photo(np.ascontiguousarray(pixels), "", name)


def find_pets(identifier: Identifier, scenes: Sequence[Scene]) -> list[tuple[Pet, ...]]:
    """Return the pets found on every scene with their scores, down to `LEAST`, below what the app shows."""
    answers = identifier.identify_many([as_photo(scene.image) for scene in scenes], score=LEAST)
    return [answer.pets for answer in answers]


def boxes_and_scores(found: Sequence[tuple[Pet, ...]]) -> list[Detections]:
    """Convert pets to the input of `training.evaluation.detection_metrics`."""
    return [
        (np.array([pet.box for pet in pets]).reshape(-1, 4), np.array([pet.score for pet in pets]))
        for pets in found
    ]


def detector_metrics(identifier: Identifier, seen: Seen) -> dict[str, Any]:
    """Return recall and average precision on photographs with pets, and false alarms on those without."""
    assert identifier.detector is not None
    score = identifier.detector.config.score
    truths, detections = [scene.boxes for scene in seen.scenes], boxes_and_scores(seen.found)
    boxes = sum(len(truth) for truth in truths)
    metrics: dict[str, Any] = {
        "photographs": len(seen.scenes),
        "boxes": boxes,
        "score": score,
        "negatives": len(seen.empty),
    }
    if boxes:
        share = recall(truths, detections, 0.5, score)
        metrics |= {
            "recall": share,
            "recall_interval": wilson_interval(share, boxes),
            "ap50": average_precision(truths, detections, 0.5),
            "ap75": average_precision(truths, detections, 0.75),
            "map": coco_map(truths, detections),
        }
    if seen.empty:
        rate = false_alarm_rate(boxes_and_scores(seen.alarms), score)
        metrics |= {"false_alarms": rate, "false_alarms_interval": wilson_interval(rate, len(seen.empty))}
    return metrics


def other_photograph_metrics(identifier: Identifier, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Return figures for photographs of several pets and for photographs without any, as the app shows them.

    Args:
        identifier: the model, with a detector.
        scenes: photographs of any kind that nothing was trained on.

    Returns:
        ``groups``: ``photographs`` of two pets or more, their ``boxes``, the share of the boxes that is found
        (``recall``, at IoU .5) and its 95% interval. ``no_pets``: for each kind of photograph without a box,
        the number of ``photographs``, the share on which something is ``found`` and the share on which a
        breed is ``named``. Parts without photographs are left out.
    """
    metrics: dict[str, Any] = {}
    groups = [scene for scene in scenes if len(scene.boxes) > 1]
    if groups:
        assert identifier.detector is not None
        found = boxes_and_scores(find_pets(identifier, groups))
        boxes = sum(len(scene.boxes) for scene in groups)
        share = recall([scene.boxes for scene in groups], found, 0.5, identifier.detector.config.score)
        metrics["groups"] = {
            "photographs": len(groups), "boxes": boxes, "recall": share,
            "recall_interval": wilson_interval(share, boxes),
        }  # fmt: skip
    without = [scene for scene in scenes if not len(scene.boxes)]
    answers = identifier.identify_many([as_photo(scene.image) for scene in without])
    for kind in sorted({scene.kind for scene in without}):
        mine = [answer for scene, answer in zip(without, answers, strict=True) if scene.kind == kind]
        named = [any(pet.verdict == "breed" for pet in answer.pets) for answer in mine]
        metrics.setdefault("no_pets", {})[kind] = {
            "photographs": len(mine),
            "found": float(np.mean([bool(answer.pets) for answer in mine])),
            "named": float(np.mean(named)),
        }
    return metrics


def pipeline_metrics(identifier: Identifier, seen: Seen, trained: Collection[str] | None) -> dict[str, Any]:
    """Return end-to-end figures: is a pet found, is its species right, and is its breed right?

    The breed is only evaluated on photographs of one pet of a known breed that the classifier was not
    trained on: for a photograph in ``trained`` it has learnt the crop.

    Args:
        identifier: the model.
        seen: at least one photograph with a pet.
        trained: names of the original files of the classifier's training crops. If None (unknown), no breed
            is evaluated.
    """
    scenes, found = seen.scenes, seen.found
    score = identifier.detector.config.score if identifier.detector else 0.0
    best = [next((pet for pet in pets if pet.score >= score), None) for pets in found]
    named = [(s, pet) for s, pet in zip(scenes, best, strict=True) if pet is not None]
    right = [pet.species == SPECIES[int(scene.species[0])] for scene, pet in named]
    known = [
        (s, pets)
        for s, pets in zip(scenes, found, strict=True)
        if s.breed in identifier.labels and len(s.boxes) == 1
    ]
    stems = {stem(name) for name in trained or ()}
    unseen = [] if trained is None else [(s, pets) for s, pets in known if stem(s.file) not in stems]
    metrics: dict[str, Any] = {
        "photographs": len(scenes),
        "with_a_pet_found": len(named) / len(scenes),
        "species": float(np.mean(right)) if right else None,
        "species_interval": wilson_interval(float(np.mean(right)), len(right)) if right else None,
        "breed": None,
    }
    if unseen:
        metrics["breed_photographs"] = len(unseen)
        metrics["breed_trained_on"] = len(known) - len(unseen)
        metrics["breed_kinds"] = len({scene.breed for scene, _ in unseen})
        hits = [named_right(scene, pets, score) for scene, pets in unseen]
        metrics["breed"] = float(np.mean(hits))
        metrics["breed_interval"] = wilson_interval(float(np.mean(hits)), len(hits))
    return metrics


def named_right(scene: Scene, pets: Sequence[Pet], score: float) -> bool:
    """True when the pet that fits the true box best (IoU at least .5) has the true breed as first guess."""
    shown = [pet for pet in pets if pet.score >= score]
    if not shown:
        return False
    overlaps = iou(np.array([pet.box for pet in shown]), scene.boxes)[:, 0]
    best = int(overlaps.argmax())
    return bool(overlaps[best] >= 0.5 and shown[best].breeds[0].id == scene.breed)


def stem(name: str) -> str:
    """Return a file's name without folder and suffix: ``a/Bengal_1.webp`` → ``Bengal_1``."""
    return PurePosixPath(name).stem
