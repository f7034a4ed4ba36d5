"""Box verification: which of the detector's boxes are pets, by the classifier's opinion of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from smartbreed.inference.boxes import non_maximum_suppression, share_inside
from smartbreed.inference.bundle import DetectorConfig
from smartbreed.inference.results import Pet

#: A box that lies in a better one by more than this share is a part of it: a head, a paw.
INSIDE = 0.9


def smallest_candidate(config: DetectorConfig, score: float | None) -> float:
    """Detector score from which on a box is worth the classifier's look."""
    if config.confirm:
        return config.confirm.candidate
    return config.score if score is None else score


def pet_probability(config: DetectorConfig, score: float, logits: np.ndarray) -> float:
    """Probability, 0…1, that a box holds a pet.

    Args:
        config: without ``confirm``, the detector's score stands.
        score: the detector's, 0…1.
        logits: the classifier's ``(breeds,)``.
    """
    if config.confirm is None:
        return score
    bounded = min(max(score, 1e-6), 1 - 1e-6)
    evidence = config.confirm.detector * np.log(bounded / (1 - bounded))
    evidence += config.confirm.classifier * float(logits.max()) + config.confirm.bias
    return float(1 / (1 + np.exp(-evidence)))


def confirmed(
    config: DetectorConfig, pets: Sequence[Pet], score: float | None, most: int = 0
) -> tuple[Pet, ...]:
    """The pets among candidates: likely enough, best first, no part of a better one.

    Args:
        config: of the detector.
        pets: with the detector's score.
        score: smallest probability, 0…1; default: the bundle's.
        most: pets kept, where that is more than the bundle says of one look.
    """
    smallest = config.score if score is None else score
    verified = [replace(pet, score=pet_probability(config, pet.score, pet.logits)) for pet in pets]
    likely = [pet for pet in verified if pet.score >= smallest]
    if not likely:
        return ()
    boxes, scores = np.array([pet.box for pet in likely]), np.array([pet.score for pet in likely])
    kept: list[int] = []
    for index in non_maximum_suppression(boxes, scores, config.overlap, max(config.most, most)):
        if not kept or share_inside(boxes[index][None], boxes[kept]).max() <= INSIDE:
            kept.append(int(index))
    return tuple(likely[index] for index in kept)
