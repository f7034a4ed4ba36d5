"""Exact paired test: is a loss on the same pictures more than chance, however few pictures there are?

Only the pictures that one model names right and the other wrong say which is better (McNemar 1947). If the
two were equally good, each of those would be a coin toss, so the number lost follows a binomial
distribution. Unlike the bootstrap this holds for ten pictures too, where it says that one lost picture
proves nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Two models on the same pictures.

    Attributes:
        count: pictures.
        lost: pictures that only the champion names right.
        gained: pictures that only the challenger names right.
    """

    count: int
    lost: int
    gained: int

    @property
    def mean(self) -> float:
        """Challenger's share of right answers minus the champion's, -1…1."""
        return (self.gained - self.lost) / self.count if self.count else 0.0

    @property
    def chance(self) -> float:
        """How likely an equally good challenger loses as many of them, 0…1 (one-sided)."""
        if not self.lost:
            return 1.0
        from scipy.stats import binomtest

        return float(binomtest(self.lost, self.lost + self.gained, 0.5, alternative="greater").pvalue)

    def worse(self, margin: float, level: float) -> bool:
        """Whether it is worse by more than ``margin``, and by more than chance explains at ``level``."""
        return self.mean < -margin - 1e-9 and self.chance <= level

    def as_dict(self) -> dict[str, Any]:
        return {"lost": self.lost, "gained": self.gained, "chance": round(self.chance, 4)}


def pairs(champion: np.ndarray, challenger: np.ndarray) -> Pairs:
    """Count what changed.

    Args:
        champion, challenger: bool ``(n,)``, whether each picture is named right.
    """
    return Pairs(len(champion), int((champion & ~challenger).sum()), int((~champion & challenger).sum()))


def smallest_loss(level: float) -> int:
    """The fewest lost pictures, with none gained, that chance does not explain at ``level``: 5 at 0.05."""
    return math.ceil(math.log(level) / math.log(0.5) - 1e-9)
