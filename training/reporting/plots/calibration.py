"""Calibration plots: the reliability diagram, and accuracy against coverage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from training.calibration.temperature import expected_calibration_error, reliability_bins
from training.reporting.plots.style import ACCENT, BLUE, INK, SOFT, figure, shares


def reliability(confidence: np.ndarray, right: np.ndarray, path: Path, bins: int = 15) -> None:
    """Plot a reliability diagram with a histogram of the confidences.

    Args:
        confidence: ``(n,)`` in 0…1.
        right: ``(n,)`` bool.
        path: the PNG to write.
        bins: number of bins of equal width.
    """
    counts, mean, accuracy = reliability_bins(confidence, right, bins)
    gap = expected_calibration_error(confidence, right, bins)
    some = counts > 0
    mean, accuracy = mean[some], accuracy[some]
    low, high = _wilson(accuracy, counts[some])
    with figure(path, 6.4, 6) as drawn:
        upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], color=SOFT, linewidth=2, label="as right as it says")
        upper.vlines(mean, low, high, color=ACCENT, alpha=0.45, linewidth=3)
        upper.plot(mean, accuracy, "o", color=ACCENT, markersize=6, label="this model, with 95% intervals")
        upper.set(ylabel="share right", ylim=(-0.02, 1.04), xlim=(0, 1.01))
        upper.set_title(f"Is it as right as it says it is?  ECE {gap:.4f}, {len(right)} pictures")
        upper.legend(loc="lower right")
        shares(upper)
        lower.bar((np.arange(bins) + 0.5) / bins, counts, width=0.9 / bins, color=INK)
        lower.set(xlabel="probability it gives its first guess", ylabel="pictures")
        shares(lower, "x")


def coverage(
    confidence: np.ndarray, right: np.ndarray, marks: Mapping[str, tuple[float, float]], path: Path
) -> None:
    """Plot accuracy against the share of pictures that get an answer, most confident first.

    Args:
        confidence: ``(n,)``.
        right: ``(n,)`` bool.
        marks: points of the chosen thresholds: name → (share answered, share of those that is right).
        path: the PNG to write.
    """
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    accuracy = np.cumsum(right[order]) / count
    start = min(len(order) // 20, 20)  # skip the noisy first answers: a twentieth, at most 20
    with figure(path, 6.4, 4.6) as drawn:
        axes = drawn.subplots()
        axes.plot(
            count[start:] / len(order), accuracy[start:], color=ACCENT, linewidth=2, label="first guess"
        )
        for (name, (share, good)), colour in zip(marks.items(), (INK, BLUE), strict=False):
            axes.plot(
                [share], [good], "o", color=colour, markersize=9, label=f"{name}: {good:.1%} of {share:.1%}"
            )
        # The axis starts at 90% or below, or nearly perfect accuracy would be stretched over the whole plot.
        lowest = min([0.92, float(accuracy[start:].min()), *(good for _, good in marks.values())])
        axes.set(
            xlabel="pictures that get an answer, the surest first", ylabel="right among them",
            xlim=(0, 1.01), ylim=(max(0.0, lowest - 0.02), 1.005), title="What refusing to answer buys",
        )  # fmt: skip
        shares(axes)
        shares(axes, "x")
        axes.grid(color=SOFT, linewidth=0.6)
        axes.legend(loc="lower left")


def _wilson(share: np.ndarray, count: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return centre - half, centre + half
