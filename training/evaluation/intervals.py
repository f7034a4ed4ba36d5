"""95% intervals: how far a figure may be off because there are few test pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def wilson_interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95% confidence interval of a proportion (Wilson 1927, https://doi.org/10.2307/2276774).

    Args:
        share: the observed proportion, 0…1.
        count: number of observations; with 0 the interval is 0…1.
        z: half-width in standard deviations.
    """
    if not count:
        return 0.0, 1.0
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def bootstrap_interval(
    figure: Callable[[np.ndarray], float], count: int, *, times: int = 300, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% percentile interval of a figure over ``times`` resampled test sets (Efron 1979).

    Args:
        figure: maps indices ``(count,)`` of pictures to their figure.
        count: number of pictures.
        times: number of resampled sets.
        seed: seed of the draws, so that two runs agree.
    """
    rng = np.random.default_rng(seed)
    values = [figure(rng.integers(0, count, count)) for _ in range(times)]
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)
