"""Bar charts of size, speed and accuracy of the exported forms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.reporting.plots.style import ACCENT, BLUE, GREEN, figure

#: Display names of the figures that forms are compared by.
NAMES = {"top1": "top-1", "map": "AP .5:.95"}
#: (key, title, format, factor) of each panel.
PANELS = (
    ("bytes", "File, MB", "{:.1f}", 1e-6),
    ("quiet_milliseconds", "One answer, ms", "{:.1f}", 1.0),
    ("{figure}", "{figure}", "{:.4f}", 1.0),
)


def forms(tables: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Plot size, speed and accuracy of the forms as bars, one row of panels per network.

    Args:
        tables: network → ``figure`` (key of the compared figure) and ``forms`` (form → row of
            `training.evaluation.forms`).
        path: the PNG to write; nothing is written without tables.
    """
    if not tables:
        return
    colours = (ACCENT, BLUE, GREEN)
    with figure(path, 9.6, 2.6 * len(tables)) as drawn:
        grid = drawn.subplots(len(tables), len(PANELS), squeeze=False)
        for row, (network, table) in zip(grid, tables.items(), strict=True):
            names = list(table["forms"])
            for axes, (key, title, text, factor) in zip(row, PANELS, strict=True):
                key, title = (
                    key.format(figure=table["figure"]),
                    title.format(figure=NAMES.get(table["figure"], table["figure"])),
                )
                values = [factor * table["forms"][name][key] for name in names]
                bars = axes.bar(names, values, color=[colours[i % 3] for i in range(len(names))], width=0.6)
                axes.bar_label(bars, labels=[text.format(value) for value in values], padding=2, fontsize=9)
                low = 0.0
                if key == table["figure"]:  # differences are a few thousandths, so cut the axis
                    low = max(0.0, min(values) - 0.02)
                    title += " (axis cut)"
                axes.set(title=f"{network}: {title}", ylim=(low, low + 1.18 * (max(values) - low)))
                axes.tick_params(axis="x", length=0)
