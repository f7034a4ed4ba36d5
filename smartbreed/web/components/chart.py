"""Draws a small line chart as SVG that follows the theme, is readable on a phone and needs no library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from smartbreed.web.components.templates import Macros

#: Widths of the desktop and the phone chart in pixels. Each is drawn at its own size, so text is not scaled.
_WIDE, _SLIM = 720, 330
_HEIGHT = 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 34, 18, 50
#: Colour and marker of each line; the markers tell the lines apart without colour.
_LOOKS = (("var(--sb-line-1)", "circle"), ("var(--sb-line-2)", "square"), ("var(--sb-line-3)", "diamond"))


@dataclass(frozen=True)
class Series:
    """One line of the chart.

    Attributes:
        values: shares in 0…1; None where nothing was measured.
        before: for each value, the previous version's share on the same photos. If given, a value is joined
            to it instead of to the previous version's own value, which was measured on other photos.
    """

    name: str
    values: tuple[float | None, ...]
    before: tuple[float | None, ...] = ()


def line_chart(
    labels: Sequence[str], series: Sequence[Series], *, title: str, marked: int | None = None
) -> str:
    """Draw shares over versions as a line chart.

    Args:
        labels: one per value, shown below the chart.
        series: at most three lines; those without a value are left out.
        title: read out by screen readers, followed by all values.
        marked: index of the version that is served now; None if it is not in the chart.

    Returns:
        HTML; empty when there is nothing to draw.
    """
    shown = [line for line in series if any(value is not None for value in line.values)][: len(_LOOKS)]
    if not labels or not shown:
        return ""
    said = "; ".join(
        f"{line.name}: "
        + ", ".join(
            f"{label} {value:.1%}"
            for label, value in zip(labels, line.values, strict=True)
            if value is not None
        )
        for line in shown
    )
    sizes = ((_WIDE, 12, "sb-wide"), (_SLIM, 6, "sb-slim"))  # a phone shows only the newest
    drawn = [_draw(labels, shown, width, most, marked, name) for width, most, name in sizes]
    keys = [(look, line.name) for look, line in zip(_LOOKS, shown, strict=False)]
    return Macros("chart.html").chart(f"{title}. {said}", keys, [one for one in drawn if one])


def _draw(
    labels: Sequence[str], series: Sequence[Series], width: int, most: int, marked: int | None, name: str
) -> dict[str, Any] | None:
    """Compute the positions of all elements of one chart, in pixels; None if it has no values."""
    start = max(0, len(labels) - most)
    labels, series = labels[start:], [_from(line, start) for line in series]
    values = [value for line in series for value in (*line.values, *line.before) if value is not None]
    if not values:
        return None
    low, high, step = _scale(min(values), max(values))
    count, inner = len(labels), width - _LEFT - _RIGHT

    def x(place: int) -> float:
        return _LEFT + inner * ((place + 0.5) / count)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - (value - low) / (high - low))

    ticks = [low + tick * step for tick in range(round((high - low) / step) + 1)]
    lines, ends = [], []
    for look, line in zip(_LOOKS, series, strict=False):
        points = [(x(place), y(value)) for place, value in enumerate(line.values) if value is not None]
        pairs = [
            (x(place - 1), y(first), x(place), y(second))
            for place, (first, second) in enumerate(zip(line.before, line.values, strict=bool(line.before)))
            if place and first is not None and second is not None
        ]
        lines.append((look, points, pairs, not line.before))
        if points:
            last = next(value for value in reversed(line.values) if value is not None)
            ends.append((*points[-1], last, look[0]))
    return {
        "name": name,
        "width": width,
        "height": _HEIGHT,
        "left": _LEFT,
        "right": width - _RIGHT,
        "top": _TOP,
        "band": min(64.0, inner / count - 6),
        "ticks": [(y(value), f"{value:.0%}") for value in ticks],
        "labels": [
            (x(n), label, marked is not None and n == marked - start) for n, label in enumerate(labels)
        ],
        "lines": lines,
        "ends": list(_apart(ends)),
    }


def _apart(ends: Sequence[tuple[float, float, float, str]]) -> Iterator[tuple[float, float, float, str]]:
    """Place each line's last value beside its end; values that would overlap move down."""
    lowest = float("-inf")
    for x, y, value, colour in sorted(ends, key=lambda end: end[1]):
        lowest = max(y + 4, lowest + 16)
        yield x, lowest, value, colour


def _from(line: Series, start: int) -> Series:
    # The first value's "before" would be joined to a point outside the chart.
    before = tuple(None if n == 0 else value for n, value in enumerate(line.before[start:]))
    return Series(line.name, line.values[start:], before)


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """Return the ends and the step of the axis: round numbers around the values, at least two steps apart."""
    span = max(high - low, 0.04)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if span / s <= 5 or s == 0.25)
    bottom = max(0.0, math.floor((low - 0.25 * step) / step) * step)
    top = min(1.0, math.ceil((high + 0.25 * step) / step) * step)
    if top - bottom < 2 * step:
        bottom = max(0.0, bottom - step)
    if top - bottom < 2 * step:
        top = min(1.0, top + step)
    return bottom, top, step
