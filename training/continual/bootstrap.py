"""Paired bootstrap: how sure a difference between two models is on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.calibration.temperature import expected_calibration_error

#: Resamples; the shares below are then good to about a point.
RESAMPLES = 2000


#: Of calibration errors, which cost more.
FEW_RESAMPLES = 400


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion.

    Attributes:
        mean: of all pictures.
        low: what 95% of the resamples lie above.
        high: what 95% of the resamples lie below.
        better: share of the resamples in which the challenger is better; ties count half.
        count: pictures.
    """

    mean: float
    low: float
    high: float
    better: float
    count: int


def paired(champion: np.ndarray, challenger: np.ndarray, seed: int = 0) -> Difference:
    """Resample pictures with replacement (Efron 1979).

    Args:
        champion, challenger: one figure a picture, such as right (1) or wrong (0), ``(n,)``.
        seed: of the resampling.
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
    """The same for the expected calibration error, where more is worse: ``better`` is the share with less.

    Args:
        champion, challenger: confidence in 0…1 and whether it was right, ``(n,)`` each, of the same pictures.
        seed: of the resampling.
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
