"""From which calibrated probability on the app says a name, or at least a family."""

from __future__ import annotations

import numpy as np

from training.calibration.temperature import precision_threshold

#: At most this share of the held-back pet-less photographs may be called a breed when taken as a pet.
CALLED_A_BREED = 0.05
#: Where there are none, a name needs at least an even chance; and however few the held-back pictures,
#: what is as likely as this is said.
LEAST, MOST = 0.5, 0.95


def verdict_thresholds(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    empty: np.ndarray,
    *,
    precision: float = 0.95,
) -> dict[str, float]:
    """Thresholds for ``breed`` and ``group``.

    Args:
        probabilities: calibrated, of held-back crops, ``(n, c)``.
        labels: their labels ``(n,)``.
        groups: group number of each label ``(c,)``; where all are different, no group is ever said.
        empty: calibrated probabilities of pictures that show nothing with a name ``(m, c)``; may be none.
        precision: share of the names said that must be right, 0…1.
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
    """What all but `CALLED_A_BREED` of the empty pictures stay below."""
    return float(np.quantile(empty.max(1), 1 - CALLED_A_BREED))
