"""A small line chart as SVG: follows the theme, stays readable on a phone, needs no library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from smartbreed.web.components.templates import escaped as escape

#: A chart for a page and one for a phone: drawn at their size, so that letters keep theirs.
_WIDE, _SLIM = 720, 330
_HEIGHT = 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 34, 18, 50
#: Colour and shape: told apart without colours too.
_LOOKS = (("var(--sb-line-1)", "circle"), ("var(--sb-line-2)", "square"), ("var(--sb-line-3)", "diamond"))


@dataclass(frozen=True)
class Series:
    """One line; values are shares 0…1, None where nothing was measured.

    Attributes:
        before: where given, each value is joined to what the version before it made of the same
            photos, and not to that version's own value, which is of others.
    """

    name: str
    values: tuple[float | None, ...]
    before: tuple[float | None, ...] = ()


def line_chart(
    labels: Sequence[str], series: Sequence[Series], *, title: str, marked: int | None = None
) -> str:
    """Shares over versions.

    Args:
        labels: below the chart, one for each value.
        series: at most three lines; those without a value are left out.
        title: said to those who cannot see it, with all values.
        marked: place of the version that is served now.

    Returns:
        HTML; empty when there is nothing to draw.
    """
    shown = [line for line in series if any(value is not None for value in line.values)][: len(_LOOKS)]
    if not labels or not shown:
        return ""
    keys = "".join(
        f'<li><svg viewBox="-6 -6 12 12">{_mark(look, 0, 0, 4.5)}</svg>{escape(line.name)}</li>'
        for look, line in zip(_LOOKS, shown, strict=False)
    )
    drawn = "".join(
        _draw(labels, shown, width, marked, name) for width, name in ((_WIDE, "sb-wide"), (_SLIM, "sb-slim"))
    )
    said = "; ".join(
        f"{line.name}: "
        + ", ".join(
            f"{label} {value:.1%}"
            for label, value in zip(labels, line.values, strict=True)
            if value is not None
        )
        for line in shown
    )
    return Markup(
        f'<figure class="sb-chart" role="img" aria-label="{escape(f"{title}. {said}")}">'
        f'<ul class="sb-keys" aria-hidden="true">{keys}</ul>{drawn}</figure>'
    )


def _draw(labels: Sequence[str], series: Sequence[Series], width: int, marked: int | None, name: str) -> str:
    # A phone has room for the newest only.
    most = 12 if width == _WIDE else 6
    start = max(0, len(labels) - most)
    labels, series = labels[start:], [_from(line, start) for line in series]
    marked = None if marked is None or marked < start else marked - start
    values = [value for line in series for value in (*line.values, *line.before) if value is not None]
    if not values:
        return ""
    low, high, step = _scale(min(values), max(values))
    count = len(labels)

    def x(place: int) -> float:
        inner = width - _LEFT - _RIGHT
        return _LEFT + inner * ((place + 0.5) / count)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - (value - low) / (high - low))

    parts = [f'<svg class="{name}" viewBox="0 0 {width} {_HEIGHT}" width="{width}" aria-hidden="true">']
    for tick in range(round((high - low) / step) + 1):
        value = low + tick * step
        parts.append(
            f'<path class="sb-grid" d="M{_LEFT} {y(value):.1f}H{width - _RIGHT}"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{_percent(value, step)}</text>'
        )
    for place, label in enumerate(labels):
        served = place == marked
        if served:
            band = min(64.0, (width - _LEFT - _RIGHT) / count - 6)
            parts.append(
                f'<rect class="sb-served-band" x="{x(place) - band / 2:.1f}" y="{_TOP - 8}" '
                f'width="{band:.1f}" height="{_HEIGHT - _TOP + 4}" rx="10"/>'
            )
        parts.append(
            f'<text class="{"sb-now" if served else ""}" x="{x(place):.1f}" y="{_HEIGHT - 24}" '
            f'text-anchor="middle">{escape(label)}</text>'
        )
        if served:
            parts.append(
                f'<text class="sb-now" x="{x(place):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">now</text>'
            )
    ends: list[tuple[float, float, float, str]] = []
    for look, line in zip(_LOOKS, series, strict=False):
        points = [(x(place), y(value), value) for place, value in enumerate(line.values) if value is not None]
        if line.before:
            for place, (first, second) in enumerate(zip(line.before, line.values, strict=True)):
                if place and first is not None and second is not None:
                    pair = f"{x(place - 1):.1f},{y(first):.1f} {x(place):.1f},{y(second):.1f}"
                    parts.append(f'<polyline class="sb-pair" points="{pair}" style="stroke:{look[0]}"/>')
                    parts.append(_mark(look, x(place - 1), y(first), 4))
        else:
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _ in points)
            parts.append(f'<polyline points="{path}" style="stroke:{look[0]}"/>')
        parts += [_mark(look, px, py, 5) for px, py, _ in points]
        if points:
            ends.append((*points[-1], look[0]))
    return "".join([*parts, *_end_values(ends), "</svg>"])


def _end_values(ends: Sequence[tuple[float, float, float, str]]) -> Iterator[str]:
    """The last value of each line beside its end, one under the other where they would meet."""
    lowest = float("-inf")
    for x, y, value, colour in sorted(ends, key=lambda end: end[1]):
        lowest = max(y + 4, lowest + 16)
        place = f'x="{x + 10:.1f}" y="{lowest:.1f}" style="fill:{colour}"'
        yield f'<text class="sb-value" {place}>{value:.1%}</text>'


def _from(line: Series, start: int) -> Series:
    # The first one's "before" would be joined to a place that is not drawn.
    before = tuple(None if n == 0 else value for n, value in enumerate(line.before[start:]))
    return Series(line.name, line.values[start:], before)


def _mark(look: tuple[str, str], x: float, y: float, size: float) -> str:
    colour, shape = look
    style = f'style="fill:{colour}" class="sb-point"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" {style}/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if shape == "diamond" else ""
    side = size * 1.7
    return (
        f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side}" height="{side}"{turn} {style}/>'
    )


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """Ends and step of the axis: round numbers around the values, at least four points apart."""
    span = max(high - low, 0.04)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if span / s <= 5 or s == 0.25)
    bottom = max(0.0, math.floor((low - 0.25 * step) / step) * step)
    top = min(1.0, math.ceil((high + 0.25 * step) / step) * step)
    if top - bottom < 2 * step:
        bottom = max(0.0, bottom - step)
    if top - bottom < 2 * step:
        top = min(1.0, top + step)
    return bottom, top, step


def _percent(value: float, step: float) -> str:
    return f"{value:.0%}" if step >= 0.01 else f"{value:.1%}"
