"""Tests whether the difference between two models on the same pictures is more than chance.

The paired bootstrap gives the certainty of a difference. The exact paired test (McNemar 1947) uses only the
pictures that one model names right and the other wrong. If both models were equally good, each of these would
be a coin toss, so the number lost would follow a binomial distribution. Unlike the bootstrap, the test holds
even for ten pictures, where one lost picture proves nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.calibration.temperature import expected_calibration_error

#: Bootstrap resamples; enough for shares that are accurate to about a percentage point.
RESAMPLES = 2000


#: Resamples for calibration errors, which take longer to compute.
FEW_RESAMPLES = 400


@dataclass(frozen=True)
class Difference:
    """A difference: challenger minus champion, with bootstrap bounds.

    Attributes:
        mean: mean difference over all pictures.
        low: 5% quantile of the resamples.
        high: 95% quantile of the resamples.
        better: share of the resamples in which the challenger is better; ties count half.
        count: number of pictures.
    """

    mean: float
    low: float
    high: float
    better: float
    count: int


def paired(champion: np.ndarray, challenger: np.ndarray, seed: int = 0) -> Difference:
    """Compare two models by a paired bootstrap (Efron 1979).

    Args:
        champion, challenger: one figure per picture, such as right (1) or wrong (0), ``(n,)``.
        seed: seed of the resampling.
    """
    difference = challenger.astype(np.float64) - champion.astype(np.float64)
    count = len(difference)
    if not count:
        return Difference(0.0, 0.0, 0.0, 0.5, 0)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [difference[rng.integers(count, size=(200, count))].mean(1) for _ in range(RESAMPLES // 200)]
    )
    low, high = np.quantile(means, [0.05, 0.95])
    better = float((means > 1e-12).mean() + (np.abs(means) <= 1e-12).mean() / 2)
    return Difference(float(difference.mean()), float(low), float(high), better, count)


def paired_calibration(
    champion: tuple[np.ndarray, np.ndarray], challenger: tuple[np.ndarray, np.ndarray], seed: int = 0
) -> Difference:
    """Compare the expected calibration errors of two models by a paired bootstrap.

    More is worse here: ``better`` is the share of resamples in which the challenger's error is smaller.

    Args:
        champion, challenger: confidence in 0…1 and whether it was right, ``(n,)`` each, of the same pictures.
        seed: seed of the resampling.
    """
    count = len(champion[0])
    if not count:
        return Difference(0.0, 0.0, 0.0, 0.5, 0)
    rng = np.random.default_rng(seed)

    def error(model: tuple[np.ndarray, np.ndarray], chosen: np.ndarray) -> float:
        return expected_calibration_error(model[0][chosen], model[1][chosen])

    everyone = np.arange(count)
    mean = error(challenger, everyone) - error(champion, everyone)
    found = []
    for _ in range(FEW_RESAMPLES):
        chosen = rng.integers(count, size=count)
        found.append(error(challenger, chosen) - error(champion, chosen))
    low, high = np.quantile(found, [0.05, 0.95])
    return Difference(mean, float(low), float(high), float((np.array(found) < 0).mean()), count)


@dataclass(frozen=True)
class Pairs:
    """How the answers of two models to the same pictures differ.

    Attributes:
        count: number of pictures.
        lost: pictures that only the champion names right.
        gained: pictures that only the challenger names right.
    """

    count: int
    lost: int
    gained: int

    @property
    def mean(self) -> float:
        """Share of correct answers, challenger minus champion, -1…1."""
        return (self.gained - self.lost) / self.count if self.count else 0.0

    @property
    def chance(self) -> float:
        """Probability, 0…1, that an equally good challenger loses at least this many (one-sided)."""
        if not self.lost:
            return 1.0
        from scipy.stats import binomtest

        return float(binomtest(self.lost, self.lost + self.gained, 0.5, alternative="greater").pvalue)

    def worse(self, margin: float, level: float) -> bool:
        """True when it is worse by more than ``margin`` and chance at ``level`` does not explain that."""
        return self.mean < -margin - 1e-9 and self.chance <= level

    def as_dict(self) -> dict[str, Any]:
        return {"lost": self.lost, "gained": self.gained, "chance": round(self.chance, 4)}


def pairs(champion: np.ndarray, challenger: np.ndarray) -> Pairs:
    """Count the pictures whose answer became right or wrong.

    Args:
        champion, challenger: bool ``(n,)``, whether each picture is named right.
    """
    return Pairs(len(champion), int((champion & ~challenger).sum()), int((~champion & challenger).sum()))


def smallest_loss(level: float) -> int:
    """Return the fewest lost pictures, with none gained, that rule out chance at ``level``: 5 at 0.05."""
    return math.ceil(math.log(level) / math.log(0.5) - 1e-9)
