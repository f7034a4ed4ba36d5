"""Choose the calibrated probabilities from which the app names a breed, or at least a breed group."""

from __future__ import annotations

import numpy as np

from training.calibration.temperature import precision_threshold

#: Largest share of the held-back pet-less photographs that may get a breed when treated as a pet, 0…1.
CALLED_A_BREED = 0.05
#: Limits of a threshold if there are no pet-less photographs: a name needs at least an even chance, and
#: with few held-back pictures the threshold still does not exceed 0.95.
LEAST, MOST = 0.5, 0.95


def verdict_thresholds(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    empty: np.ndarray,
    *,
    precision: float = 0.95,
) -> dict[str, float]:
    """Choose the thresholds for ``breed`` and ``group``.

    Args:
        probabilities: calibrated probabilities of held-back crops, ``(n, c)``.
        labels: labels of these crops, ``(n,)``.
        groups: group number of each label, ``(c,)``; if all are different, no group is ever named.
        empty: calibrated probabilities of pictures that show none of the labels, ``(m, c)``; may be empty.
        precision: required share of correct answers among those with a breed, 0…1; for groups it is 0.9.
    """
    confidence = probabilities.max(1)
    breed = precision_threshold(confidence, probabilities.argmax(1) == labels, precision)
    breed = max(breed, _mostly_below(empty)) if len(empty) else float(np.clip(breed, LEAST, MOST))
    member = np.eye(groups.max() + 1)[groups]
    if member.shape[0] == member.shape[1]:
        return {"breed": round(breed, 4), "group": round(breed, 4)}
    by_group = probabilities @ member
    rest = confidence < breed
    group = precision_threshold(by_group[rest].max(1), by_group[rest].argmax(1) == groups[labels][rest], 0.9)
    group = max(group, _mostly_below(empty @ member)) if len(empty) else float(np.clip(group, LEAST, MOST))
    return {"breed": round(breed, 4), "group": round(group, 4)}


def _mostly_below(empty: np.ndarray) -> float:
    """Return the probability that only a share of `CALLED_A_BREED` of the empty pictures exceeds."""
    return float(np.quantile(empty.max(1), 1 - CALLED_A_BREED))
