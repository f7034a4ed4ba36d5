"""Pictures of how good a model is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

INK, ACCENT, SOFT = "#3b2f2a", "#b5533c", "#e8d8c3"


def reliability(confidence: np.ndarray, right: np.ndarray, path: Path, bins: int = 15) -> None:
    """Reliability diagram with a histogram of the confidences.

    Args:
        confidence: ``(n,)`` in 0…1.
        right: ``(n,)`` bool.
        path: the PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    centres = (np.arange(bins) + 0.5) / bins
    accuracy = [right[index == b].mean() if (index == b).any() else np.nan for b in range(bins)]
    upper.plot([0, 1], [0, 1], color=SOFT, linewidth=2, label="perfectly calibrated")
    upper.bar(centres, accuracy, width=0.9 / bins, color=ACCENT, label="this model")
    upper.set(ylabel="accuracy", ylim=(0, 1), xlim=(0, 1), title="Is it as right as it says it is?")
    upper.legend(frameon=False)
    lower.bar(centres, np.bincount(index, minlength=bins), width=0.9 / bins, color=INK)
    lower.set(xlabel="probability of the first breed", ylabel="pictures")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def per_breed(accuracy: dict[str, float], path: Path, shown: int = 20) -> None:
    """The hardest breeds, worst first.

    Args:
        accuracy: display name → share right.
        path: the PNG to write.
        shown: how many.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    worst = sorted(accuracy.items(), key=lambda item: item[1])[:shown][::-1]
    figure = Figure(figsize=(6, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    bars = axes.barh([name for name, _ in worst], [value for _, value in worst], color=ACCENT)
    axes.bar_label(bars, fmt="%.2f", padding=3, color=INK)
    axes.set(xlim=(0, 1), xlabel="share named right", title=f"The {shown} hardest breeds")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
