"""Accuracy per label and per group, hardest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.reporting.plots.style import ACCENT, BLUE, SOFT, figure, shares


def per_breed(accuracy: Mapping[str, float], path: Path, shown: int = 20) -> None:
    """Plot the accuracy of the hardest labels as bars, worst first.

    Args:
        accuracy: display name → share right.
        path: the PNG to write.
        shown: largest number of labels.
    """
    worst = sorted(accuracy.items(), key=lambda item: item[1])[:shown][::-1]
    with figure(path, 6.4, 1.2 + 0.24 * len(worst)) as drawn:
        axes = drawn.subplots()
        bars = axes.barh([name for name, _ in worst], [value for _, value in worst], color=ACCENT)
        axes.bar_label(bars, fmt="%.2f", padding=3)
        title = f"The {len(worst)} hardest" if len(worst) < len(accuracy) else "The hardest first"
        axes.set(xlim=(0, 1.08), xlabel="share named right", title=title)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        shares(axes, "x")


def per_group(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], path: Path) -> None:
    """Plot, for each group, the shares of pictures with the right breed and with at least the right group.

    Args:
        rows: from `training.evaluation.crop_scores.group_scores`.
        names: display name of each group.
        path: the PNG to write.
    """
    ordered = sorted(rows, key=lambda row: row["top1"], reverse=True)
    labels = [f"{names.get(row['group'], row['group'])} ({row['labels']})" for row in ordered]
    with figure(path, 7.4, 1.4 + 0.3 * len(ordered)) as drawn:
        axes = drawn.subplots()
        places = range(len(ordered))
        axes.hlines(
            places, [row["top1"] for row in ordered], [row["group_right"] for row in ordered], color=SOFT,
            linewidth=4,
        )  # fmt: skip
        axes.plot(
            [row["top1"] for row in ordered], places, "o", color=ACCENT, markersize=9, label="breed right"
        )
        axes.plot(
            [row["group_right"] for row in ordered],
            places,
            "o",
            color=BLUE,
            markersize=5,
            label="family right",
        )
        axes.set_yticks(places, labels)
        lowest = min((row["top1"] for row in ordered), default=0.5)
        axes.set(xlim=(max(0, lowest - 0.05), 1.01), title="Families (number of breeds), hardest first")
        axes.grid(axis="x", color=SOFT, linewidth=0.6)
        shares(axes, "x")
        axes.legend(loc="lower left")
