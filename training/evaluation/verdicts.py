"""How often the app says a breed, a group or nothing, how often it is right, and what thresholds change."""

from __future__ import annotations

from typing import Any

import numpy as np

from smartbreed.inference.pipeline import Identifier
from training.evaluation.answers import Answers

#: Thresholds of the table of choices.
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def group_numbers(identifier: Identifier) -> np.ndarray:
    """Index of each label's group in ``decision_rule.groups``, ``(c,)``; a label without one is its own."""
    labels = identifier.bundle.config.classifier.labels
    return np.array([identifier.decision_rule.groups.index(label.group or label.id) for label in labels])


def verdict_metrics(identifier: Identifier, answers: Answers) -> dict[str, Any]:
    """Shares of the verdicts and of right ones among them; None where there is nothing to share."""
    groups = group_numbers(identifier)
    species = [label.species for label in identifier.bundle.config.classifier.labels]
    decided = [identifier.decision_rule.decide(row, 1) for row in answers.probabilities]
    verdicts = np.array([verdict for _, verdict, _, _ in decided])
    group_right = np.array(
        [
            identifier.decision_rule.groups[groups[t]] == group.id
            for t, (*_, group) in zip(answers.truth, decided, strict=True)
        ]
    )
    breed, group = verdicts == "breed", verdicts == "group"
    metrics = {
        "said_breed": float(breed.mean()),
        "said_breed_right": share(answers.right[breed]),
        "said_group": float(group.mean()),
        "said_group_right": share(group_right[group]),
        "said_unknown": float((verdicts == "unknown").mean()),
        "group": float(group_right.mean()),
    }
    if len(set(species)) > 1:
        metrics["species"] = float(
            np.mean([said == species[t] for t, (said, *_) in zip(answers.truth, decided, strict=True)])
        )
    return metrics


def threshold_table(answers: Answers, chosen: float) -> list[dict[str, Any]]:
    """What saying a breed from other probabilities on would do: share answered, share right of those.

    Args:
        answers: of the test pictures.
        chosen: the bundle's threshold; its row says ``chosen``.
    """
    rows = []
    for threshold in sorted({*THRESHOLDS, chosen}):
        answered = answers.confidence >= threshold
        rows.append(
            {
                "threshold": threshold,
                "answered": float(answered.mean()),
                "right": share(answers.right[answered]),
                "chosen": threshold == chosen,
            }
        )
    return rows


def group_scores(identifier: Identifier, answers: Answers) -> list[dict[str, Any]]:
    """For each group of more than one label: pictures, share named right, share whose group is right."""
    groups = group_numbers(identifier)
    member = np.eye(len(identifier.decision_rule.groups))[groups]
    said = (answers.probabilities @ member).argmax(1)
    rows = []
    for number, group in enumerate(identifier.decision_rule.groups):
        inside = groups[answers.truth] == number
        if inside.any() and (groups == number).sum() > 1:
            rows.append(
                {
                    "group": group,
                    "labels": int((groups == number).sum()),
                    "pictures": int(inside.sum()),
                    "top1": float(answers.right[inside].mean()),
                    "group_right": float((said[inside] == number).mean()),
                }
            )
    return rows


def share(right: np.ndarray) -> float | None:
    """The mean of a bool array; None of an empty one."""
    return float(right.mean()) if len(right) else None
