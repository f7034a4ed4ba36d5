"""Confusion matrices: all labels ordered by group, and the labels most often confused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.reporting.plots.style import INK, PAPER, SOFT, figure, heat

#: Up to this many labels, the counts are written into the cells.
WRITTEN = 24


def confusion(matrix: np.ndarray, names: Sequence[str], groups: Sequence[str], path: Path) -> None:
    """Plot the whole matrix, each row as shares of its pictures.

    Args:
        matrix: counts ``(c, c)``, row the truth, column the prediction.
        names: names of the labels.
        groups: groups of the labels, which are ordered and framed by it; "" for no group and no frame.
        path: the PNG to write.
    """
    order = sorted(range(len(names)), key=lambda i: (groups[i], names[i]))
    ordered = matrix[np.ix_(order, order)]
    if len(names) <= WRITTEN:
        _small(ordered, [names[i] for i in order], "Every label", path)
        return
    share = ordered / np.maximum(ordered.sum(1, keepdims=True), 1)
    side = max(8.0, 0.14 * len(names) + 3)
    with figure(path, side * 1.04, side * 0.96) as drawn:
        axes = drawn.subplots()
        from matplotlib.colors import PowerNorm

        picture = axes.imshow(share, cmap=heat(), norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
        ticks = [names[i] for i in order]
        size = 6.5 if len(names) > 60 else 8
        axes.set_xticks(range(len(ticks)), ticks, rotation=90, fontsize=size)
        axes.set_yticks(range(len(ticks)), ticks, fontsize=size)
        axes.tick_params(length=0)
        framed = ", framed by family" if _frames(axes, [groups[i] for i in order]) else ""
        axes.set_title(f"What is taken for what: {int(matrix.sum())} pictures{framed}", fontsize=14)
        axes.set_xlabel("said", fontsize=12)
        axes.set_ylabel("is", fontsize=12)
        bar = drawn.colorbar(picture, ax=axes, shrink=0.35, aspect=30, pad=0.01, ticks=[0, 0.05, 0.2, 0.5, 1])
        bar.ax.set_yticklabels(["0%", "5%", "20%", "50%", "100%"])
        bar.set_label("share of the row's pictures")


def confused_labels(matrix: np.ndarray, names: Sequence[str], path: Path, most: int = 18) -> None:
    """Plot the labels of the most often confused pairs, with counts.

    Args:
        matrix: counts ``(c, c)``, row the truth, column the prediction.
        names: names of the labels.
        path: the PNG to write.
        most: largest number of labels shown.
    """
    both = np.triu(matrix + matrix.T, 1)
    chosen: list[int] = []
    for flat in np.argsort(-both, axis=None, kind="stable"):
        pair = [int(i) for i in np.unravel_index(flat, both.shape)]
        new = [i for i in pair if i not in chosen]
        if not both[pair[0], pair[1]] or len(chosen) + len(new) > most:
            break
        # Keep the labels of a pair next to each other where possible.
        known = [i for i in pair if i in chosen]
        place = chosen.index(known[0]) + 1 if known else len(chosen)
        chosen[place:place] = new
    shown = chosen or list(range(min(most, len(names))))
    _small(matrix[np.ix_(shown, shown)], [names[i] for i in shown], "Most often confused", path)


def _small(matrix: np.ndarray, names: Sequence[str], title: str, path: Path) -> None:
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    width = 3.2 + 0.44 * len(names)
    with figure(path, max(5.0, width), max(4.2, width - 0.6)) as drawn:
        axes = drawn.subplots()
        from matplotlib.colors import PowerNorm

        axes.imshow(share, cmap=heat(), norm=PowerNorm(0.6, 0, 1), interpolation="nearest")
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        axes.set(title=f"{title}: pictures", xlabel="said", ylabel="is")
        for y, x in zip(*np.nonzero(matrix), strict=True):
            colour = PAPER if share[y, x] > 0.4 else INK
            axes.text(x, y, str(int(matrix[y, x])), ha="center", va="center", color=colour, fontsize=9)
        axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=SOFT, linewidth=0.5)
        axes.tick_params(which="minor", length=0)


def _frames(axes: object, groups: Sequence[str]) -> bool:
    """Frame each run of adjacent labels of one group; return whether there was any."""
    from matplotlib.patches import Rectangle

    start, any_framed = 0, False
    for end in range(1, len(groups) + 1):
        if end == len(groups) or groups[end] != groups[start]:
            if end - start > 1 and groups[start]:
                any_framed = True
                size = end - start
                box = Rectangle(
                    (start - 0.5, start - 0.5), size, size, fill=False, edgecolor=INK, linewidth=0.7
                )
                axes.add_patch(box)  # type: ignore[attr-defined]
            start = end
    return any_framed
