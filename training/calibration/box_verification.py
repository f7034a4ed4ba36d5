"""How detector and classifier decide together whether a box holds a pet, fitted on held-back photographs."""

from __future__ import annotations

import numpy as np

from smartbreed.imaging.photo import Photo
from smartbreed.inference.boxes import iou
from smartbreed.inference.pipeline import Identifier
from training.calibration.temperature import fit_logistic
from training.data import Scene

#: Detector score from which on the classifier is asked for its opinion.
CANDIDATE = 0.1
#: Smallest score of a detector without box verification.
PLAIN_SCORE = 0.4


def as_photo(pixels: np.ndarray, name: str = "") -> Photo:
    """A decoded training picture as the pipeline's input."""
    return Photo(np.ascontiguousarray(pixels), "", name)


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


def fit_box_verification(
    identifier: Identifier, scenes: list[Scene]
) -> tuple[dict[str, float] | None, float]:
    """The weights of box verification and the threshold on its probability, from held-back scenes.

    Returns:
        None and `PLAIN_SCORE` where the scenes cannot tell: no right boxes, no wrong ones, or a fit by
        which a surer detector would mean less of a pet.
    """
    found = [candidates_of(identifier, scene) for scene in scenes]
    # Boxes of parts of a pet are among the wrong ones: a classifier names a face as surely as a whole pet.
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
