"""Box verification: decide which of the detector's boxes are pets, with the help of the classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from smartbreed.inference.boxes import non_maximum_suppression, share_inside
from smartbreed.inference.bundle import DetectorConfig
from smartbreed.inference.results import Pet

#: A box with more than this share of its area inside a better one is a part of that pet: a head, a paw.
INSIDE = 0.9


def smallest_candidate(config: DetectorConfig, score: float | None) -> float:
    """Return the detector score, 0…1, from which a box is passed to the classifier."""
    if config.confirm:
        return config.confirm.candidate
    return config.score if score is None else score


def pet_probability(config: DetectorConfig, score: float, logits: np.ndarray) -> float:
    """Return the probability, 0…1, that a box holds a pet.

    Args:
        config: without ``confirm``, the detector's score is returned as it is.
        score: detector score, 0…1.
        logits: of the classifier, ``(breeds,)``.
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
    """Return the candidates that are likely enough to be pets, best first, without parts of better ones.

    Args:
        config: of the detector.
        pets: candidates with the detector's score.
        score: smallest probability, 0…1; None: the bundle's threshold.
        most: maximum number of pets, if larger than the bundle's own limit.
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
