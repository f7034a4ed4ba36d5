"""Detector plots: precision against recall, and the effect of the score threshold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.reporting.plots.style import ACCENT, BLUE, INK, PAPER, SOFT, figure, shares


def detector(curves: Mapping[str, Any], path: Path) -> None:
    """Plot precision against recall, and recall and false alarms against the threshold.

    The chosen threshold is marked.

    Args:
        curves: from `training.evaluation.detection_curves.detection_curves`; parts that are None or empty are
            left out.
        path: the PNG to write.
    """
    drawn_left, drawn_right = bool(curves["precision_recall"]), ("recall", "false_alarms")
    with figure(path, 9.6 if drawn_left else 5.2, 4.3) as drawn:
        panels = list(drawn.subplots(1, 1 + drawn_left, squeeze=False)[0])
        if drawn_left:
            _precision_recall(panels[0], curves)
        axes, score = panels[-1], curves["score"]
        names = {"recall": "pets found (IoU .5)", "false_alarms": "pet-less photographs with an alarm"}
        for key, colour in zip(drawn_right, (ACCENT, BLUE), strict=True):
            if curves[key] is not None:
                axes.plot(curves["thresholds"], curves[key], color=colour, linewidth=2, label=names[key])
        axes.axvline(score, color=INK, linestyle=":", linewidth=1.4, label=f"chosen: {score:.2f}")
        axes.set(
            xlabel="a pet from this score on", ylabel="share", xlim=(0, 1), ylim=(-0.02, 1.04),
            title="What the threshold does",
        )  # fmt: skip
        axes.grid(color=SOFT, linewidth=0.6)
        shares(axes)
        axes.legend(loc="center right", frameon=True, facecolor=PAPER, edgecolor="none", framealpha=1)


def _precision_recall(axes: Any, curves: Mapping[str, Any]) -> None:
    for (overlap, curve), colour in zip(curves["precision_recall"].items(), (ACCENT, BLUE), strict=False):
        recall, precision = curve["recall"], curve["precision"]
        # Start at recall 0 and drop to 0 after the last box found: no higher recall is possible.
        recall, precision = [0.0, *recall, *recall[-1:]], [*precision[:1], *precision, 0.0]
        label = f"IoU {overlap.removeprefix('0')}: AP {curve['ap']:.3f}"
        axes.step(recall, precision, where="pre", color=colour, linewidth=2, label=label)
        if curve["at"] is not None:
            axes.plot(*curve["at"], "o", color=colour, markersize=7)
    axes.set(
        xlabel="recall: share of the pets found", ylabel="precision: share of the boxes on a pet",
        xlim=(0, 1.01), ylim=(0, 1.04), title="Whole photographs (dots: as chosen)",
    )  # fmt: skip
    axes.grid(color=SOFT, linewidth=0.6)
    shares(axes)
    shares(axes, "x")
    axes.legend(loc="lower left")
