"""Line plots: ROC, robustness, and accuracy against frozen layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.reporting.plots.style import ACCENT, BLUE, INK, PAPER, SOFT, figure, shares
from training.reporting.wording import Wording

#: Panel titles by fault name in `training.evaluation.robustness`.
FAULTS = {
    "blur": "Blur", "noise": "Noise", "jpeg": "JPEG", "darkness": "Darkness", "rotation": "Rotation",
    "small_box": "Small {subject}s", "box_jitter": "Inexact boxes", "gray": "Gray",
    "dark_noise": "Dark and noisy", "night_camera": "Night camera",
}  # fmt: skip


def roc(
    false: np.ndarray, true: np.ndarray, auc: float, hardest: Mapping[str, float], label: str, path: Path
) -> None:
    """Plot the mean one-vs-rest ROC curve on a logarithmic axis, and the labels with the smallest area.

    No plot is written if every label in ``hardest`` is perfectly separable.

    Args:
        false: false positive rates ``(n,)``, above 0.
        true: mean true positive rates there ``(n,)``.
        auc: mean area under the curves.
        hardest: label → its area, smallest first; areas of 1 are left out.
        label: wording for a label.
        path: the PNG to write.
    """
    hardest = {name: area for name, area in hardest.items() if area < 1}
    if not hardest:
        return
    with figure(path, 9, 4.2) as drawn:
        left, right = drawn.subplots(1, 2, width_ratios=[3, 2])
        left.semilogx(false, true, color=ACCENT, linewidth=2)
        left.set(
            xlabel="false positive rate (log)", ylabel="true positive rate", ylim=(0, 1.02),
            title=f"One {label} against all others: mean AUC {auc:.4f}",
        )  # fmt: skip
        left.grid(color=SOFT, linewidth=0.6)
        shares(left)
        names = list(hardest)[::-1]
        values = [1 - hardest[name] for name in names]
        right.barh(names, values, color=BLUE)
        right.bar_label(
            right.containers[0], labels=[f"{hardest[n]:.4f}" for n in names], padding=3, fontsize=8
        )
        right.set(xlabel="1 − AUC", title="Least separable", xlim=(0, 1.35 * max(values)))
        right.locator_params(axis="x", nbins=4)


def robustness(result: Mapping[str, Any], words: Wording, path: Path) -> None:
    """Plot, for each fault, top-1 and the share of wrong names against its strength.

    Args:
        result: from `training.evaluation.robustness.robustness`.
        words: wording for the model's labels.
        path: the PNG to write.
    """
    curves = result["curves"]
    columns = 4
    rows = -(-(len(curves)) // columns)
    with figure(path, 11.5, 2.9 * rows) as drawn:
        grid = np.atleast_1d(drawn.subplots(rows, columns, sharey=True)).reshape(-1)
        for axes, (name, curve) in zip(grid, curves.items(), strict=False):
            at = range(len(curve["points"]))
            values = [point["top1"] for point in curve["points"]]
            axes.axhline(result["clean"], color=SOFT, linewidth=2)
            axes.plot(at, values, "o-", color=ACCENT)
            if "named_wrong" in curve["points"][0]:
                wrong = [np.nan if p["named_wrong"] is None else p["named_wrong"] for p in curve["points"]]
                axes.plot(at, wrong, "s--", color=INK, markersize=4)
            for x, value in zip(at, values, strict=True):
                above = value < 0.9
                axes.annotate(
                    f"{value:.2f}", (x, value), textcoords="offset points", xytext=(0, 6 if above else -13),
                    ha="center", fontsize=8,
                )  # fmt: skip
            axes.set_xticks(at, [f"{point['strength']:g}" for point in curve["points"]])
            axes.set(
                title=FAULTS.get(name, name).format(subject=words.subject),
                ylim=(0, 1.08),
                xlim=(-0.4, len(values) - 0.6),
            )
            axes.set_xlabel(curve["unit"].replace("pet", words.subject), fontsize=8.5)
        for axes in grid[::columns]:
            axes.set_ylabel("top-1")
        spare = grid[len(curves) :]
        for axes in spare:
            axes.axis("off")
        for axes in spare[:1]:
            axes.text(
                0, 0.5, f"{result['pictures']} pictures\nclean: {result['clean']:.3f} (pale line)\n"
                f"dashed: wrong among the {words.label}s said\neach from weak to strong",
                fontsize=10, color=INK, va="center",
            )  # fmt: skip


def sweep(entries: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot accuracy and loss against the number of frozen layers.

    Args:
        entries: fewest frozen layers first, each with ``freeze_till`` (name, count or ""), ``frozen``,
            ``layers``, ``top1``, ``val_loss`` and ``loss``.
        path: the PNG to write.
    """
    at = range(len(entries))
    ticks = [f"{entry['freeze_till'] or 'none'} ({entry['frozen']})" for entry in entries]
    with figure(path, 10.5, 4.8) as drawn:
        left, right = drawn.subplots(1, 2)
        top1 = [entry["top1"] for entry in entries]
        left.plot(at, top1, "o-", color=ACCENT)
        for x, value in zip(at, top1, strict=True):
            left.annotate(
                f"{value:.1%}", (x, value), fontsize=9, ha="center",
                xytext=(0, 9), textcoords="offset points",
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            )  # fmt: skip
        left.set(ylabel="held-back top-1", title="Accuracy")
        left.margins(0.08, 0.25)
        left.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
        right.plot(at, [entry["val_loss"] for entry in entries], "o-", color=ACCENT, label="held back")
        right.plot(at, [entry["loss"] for entry in entries], "o--", color=BLUE, label="training")
        right.set(ylabel="cross-entropy", title="Loss")
        right.margins(0.08, 0.2)
        right.legend()
        for axes in (left, right):
            axes.set_xticks(at, ticks, rotation=35, ha="right", rotation_mode="anchor")
            axes.set_xlabel(f"frozen up to (layers frozen, of {entries[0]['layers']} with weights)")
            axes.grid(color=SOFT, linewidth=0.6)
