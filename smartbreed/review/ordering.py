"""In which order flags are worth a maintainer's time.

Usefulness is a weighted mean of what a decision would teach; those who sent too much or were
too often wrong come after everybody else, however interesting their flags look.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

#: How much each signal counts; they sum to 1.
WEIGHTS = {
    "uncertainty": 0.30,
    "disagreement": 0.25,
    "label_issue": 0.20,
    "rarity": 0.15,
    "outlier_score": 0.10,
}
#: Accepted photos of a breed at which one more counts half.
_RARE = 5
#: Places behind all others.
PLACES = {"": 0, "cap": 1, "trust": 2}


@dataclass(frozen=True)
class Evidence:
    """What the order of one flag depends on; the five signals lie in [0, 1].

    Attributes:
        held: ``""``; ``cap``: beyond its flagger's flags of that day; ``trust``: its flagger was
            too often wrong.
    """

    flag_id: str
    flagged_at: dt.datetime
    uncertainty: float = 0.0
    disagreement: float = 0.0
    label_issue: float = 0.0
    rarity: float = 0.0
    outlier_score: float = 0.0
    held: str = ""


def usefulness(evidence: Evidence) -> float:
    """0…1; a signal that is no number counts 0."""
    return sum(weight * _held_in(getattr(evidence, name)) for name, weight in WEIGHTS.items())


def order(evidence: Evidence) -> tuple[int, float, dt.datetime, str]:
    """Sort key: no two flags have the same, so the order is total and the same everywhere."""
    # Rounded, or the last bit of a sum would decide between equals.
    return (
        PLACES[evidence.held],
        -round(usefulness(evidence), 6),
        evidence.flagged_at,
        evidence.flag_id,
    )


def rarity(accepted: int) -> float:
    """1 where nothing of the breed is accepted yet, towards 0 with many."""
    return _RARE / (_RARE + max(accepted, 0))


def disagreement(counts: list[int]) -> float:
    """How much people differ about one pet: 0 when all say the same, 1 when none shares half.

    Args:
        counts: people behind each answer.
    """
    total = sum(counts)
    if total < 2:
        return 0.0
    return min(1.0, 2.0 * (1.0 - max(counts) / total))


def _held_in(value: float) -> float:
    return 0.0 if math.isnan(value) else min(max(value, 0.0), 1.0)
