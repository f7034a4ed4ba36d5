"""How good the shipped networks are, measured through the same doors that serve."""

from __future__ import annotations

from typing import Any

import numpy as np

from smartbreed.vision.identify import Identifier
from smartbreed.vision.results import Identification
from training.build_bundle import as_photo
from training.calibration import expected_calibration_error
from training.data import Crops, Scene
from training.detection_metrics import average_precision, false_alarm_rate, recall


def classifier_logits(identifier: Identifier, images: np.ndarray) -> np.ndarray:
    """Logits ``(n, breeds)`` of uint8 crops, by the LiteRT network, on every core."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(identifier.threads) as pool:
        return np.stack(list(pool.map(lambda image: identifier.classifier.run(image).logits, images)))


def wilson_interval(right: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """95% confidence interval of a proportion (Wilson 1927)."""
    centre = (right + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(right * (1 - right) / count + z * z / (4 * count * count))
    return float(centre - half), float(centre + half)


def classifier_metrics(identifier: Identifier, crops: Crops, logits: np.ndarray) -> dict[str, Any]:
    """Accuracy, calibration and verdicts on crops.

    Args:
        identifier: the model.
        crops: the test split.
        logits: of those crops.
    """
    probabilities = identifier.classifier.probabilities(logits)
    order = np.argsort(-probabilities, axis=1)
    right = order[:, 0] == crops.labels
    within = (order[:, :5] == crops.labels[:, None]).any(1)
    cats = crops.species == 0
    answers = [identifier.judge.judge(row, 1) for row in probabilities]
    species = np.array(
        [answer[0] == ("cat", "dog")[kind] for answer, kind in zip(answers, crops.species, strict=True)]
    )
    verdicts = np.array([answer[1] for answer in answers])
    members = [label.group for label in identifier.bundle.config.classifier.labels]
    group_right = np.array(
        [a[3].id == members[label] for a, label in zip(answers, crops.labels, strict=True)]
    )
    said_breed, said_group = verdicts == "breed", verdicts == "group"
    confidence = probabilities.max(1)
    return {
        "pictures": len(crops),
        "top1": float(right.mean()),
        "top1_interval": wilson_interval(float(right.mean()), len(crops)),
        "top5": float(within.mean()),
        "top1_cats": float(right[cats].mean()),
        "top1_dogs": float(right[~cats].mean()),
        "ece": expected_calibration_error(confidence, right),
        "species": float(species.mean()),
        "said_breed": float(said_breed.mean()),
        "said_breed_right": float(right[said_breed].mean()),
        "said_group": float(said_group.mean()),
        "said_group_right": float(group_right[said_group].mean()) if said_group.any() else None,
        "said_unknown": float((verdicts == "unknown").mean()),
        "per_breed": {
            name: float(right[crops.labels == label].mean())
            for label, name in enumerate(crops.names)
            if (crops.labels == label).any()
        },
    }


def detector_metrics(identifier: Identifier, scenes: list[Scene], empty: list[Scene]) -> dict[str, Any]:
    """Recall and AP on photographs with pets, false alarms on photographs without, after the second look.

    Args:
        identifier: the model.
        scenes: photographs with true boxes.
        empty: pet-less photographs the training never saw.
    """
    assert identifier.detector is not None
    config = identifier.detector.config

    def run(some: list[Scene]) -> list[tuple[np.ndarray, np.ndarray]]:
        answers = [identifier.identify(as_photo(scene.image), score=0.001).pets for scene in some]
        return [
            (np.array([pet.box for pet in pets]).reshape(-1, 4), np.array([pet.score for pet in pets]))
            for pets in answers
        ]

    truths, found, alarms = [s.boxes for s in scenes], run(scenes), run(empty)
    score = config.score
    return {
        "photographs": len(scenes),
        "score": score,
        "recall": recall(truths, found, 0.5, score),
        "ap50": average_precision(truths, found, 0.5),
        "ap75": average_precision(truths, found, 0.75),
        "negatives": len(empty),
        "false_alarms": false_alarm_rate(alarms, score),
    }


def pipeline_metrics(identifier: Identifier, scenes: list[Scene]) -> dict[str, Any]:
    """Whole photographs through detector and classifier: is the species of the best pet right?"""
    answers: list[Identification] = [identifier.identify(as_photo(s.image)) for s in scenes]
    names = ("cat", "dog")
    found = [
        (a.pets[0].species, names[int(s.species[0])]) for a, s in zip(answers, scenes, strict=True) if a.pets
    ]
    return {
        "photographs": len(scenes),
        "with_a_pet_found": len(found) / len(scenes),
        "species": float(np.mean([said == true for said, true in found])),
    }
