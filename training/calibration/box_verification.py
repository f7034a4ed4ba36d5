"""Fit box verification: how detector and classifier decide together whether a box holds a pet."""

from __future__ import annotations

import numpy as np

from smartbreed.imaging.photo import Photo
from smartbreed.inference.boxes import iou
from smartbreed.inference.pipeline import Identifier
from training.calibration.temperature import fit_logistic
from training.data import Scene

#: Detector score, 0…1, from which the classifier verifies a box.
CANDIDATE = 0.1
#: Smallest detector score of a pet without box verification, 0…1.
PLAIN_SCORE = 0.4


def as_photo(pixels: np.ndarray, name: str = "") -> Photo:
    """Wrap a decoded training picture as input for the pipeline."""
    return Photo(np.ascontiguousarray(pixels), "", name)


def pet_threshold(pets: list[float], empty: list[float]) -> float:
    """Choose the threshold on the probability that a box holds a pet.

    It is the smallest one that at most 2% of the pet-less photographs reach, but no higher than what 98% of
    the photographs with a pet reach, and always within 0.2…0.95.

    Args:
        pets: best probability of a correct box (0 if none) in each held-back photograph with a pet.
        empty: best probability in each held-back pet-less photograph.
    """
    ranked = sorted(empty, reverse=True)
    allowed_alarms = int(0.02 * len(ranked))
    wanted = ranked[allowed_alarms] + 1e-3 if len(ranked) > allowed_alarms else 0.0
    return round(float(np.clip(min(wanted, np.quantile(pets, 0.02)), 0.2, 0.95)), 4)


def candidates_of(identifier: Identifier, scene: Scene) -> list[tuple[float, float, bool]]:
    """Return ``(detector logit, largest breed logit, correct)`` of every candidate box of a scene.

    A box is correct if its IoU with a labelled box is at least 0.5.
    """
    rows = []
    for pet in identifier.identify(as_photo(scene.image), score=CANDIDATE).pets:
        right = len(scene.boxes) > 0 and iou(np.array([pet.box]), scene.boxes).max() >= 0.5
        score = min(max(pet.score, 1e-6), 1 - 1e-6)
        rows.append((float(np.log(score / (1 - score))), float(pet.logits.max()), bool(right)))
    return rows


def fit_box_verification(
    identifier: Identifier, scenes: list[Scene]
) -> tuple[dict[str, float] | None, float]:
    """Fit box verification on held-back scenes.

    Returns:
        The weights and the threshold on the probability. None and `PLAIN_SCORE` if the scenes do not suffice:
        there are no correct or no wrong boxes, or the fit gives the detector or the classifier a negative
        weight (the detector's must be at least 1e-4).
    """
    found = [candidates_of(identifier, scene) for scene in scenes]
    # Boxes around parts of a pet are among the wrong ones: a face gets as high a breed logit as a whole pet.
    rows = np.array([row for candidates in found for row in candidates])
    if not len(rows) or len(set(rows[:, 2])) < 2:
        return None, PLAIN_SCORE
    (detector, breed), bias = fit_logistic(rows[:, :2], rows[:, 2] > 0)
    if detector < 1e-4 or breed < 0:
        return None, PLAIN_SCORE

    def best(candidates: list[tuple[float, float, bool]], *, right_only: bool) -> float:
        chances = [detector * d + breed * b + bias for d, b, right in candidates if right or not right_only]
        return float(1 / (1 + np.exp(-max(chances)))) if chances else 0.0

    threshold = pet_threshold(
        [best(c, right_only=True) for s, c in zip(scenes, found, strict=True) if len(s.boxes)],
        [best(c, right_only=False) for s, c in zip(scenes, found, strict=True) if not len(s.boxes)],
    )
    weights = {"candidate": CANDIDATE, "detector": detector, "classifier": breed, "bias": bias}
    return {key: round(float(value), 4) for key, value in weights.items()}, threshold
