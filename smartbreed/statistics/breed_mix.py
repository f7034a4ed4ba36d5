"""Detect a change in the mix of breeds that people send.

The shares of the breeds named in recent days are compared with those of the version's first days. The test
pictures cannot serve as the baseline: they show each breed about equally often, and people do not.

No fixed limit fits the population stability index of two samples: it grows with the number of breeds, shrinks
with the number of pets, and grows if the same pet is sent many times. Without any change in the shares, 40 to
100 of 100 comparisons of a few hundred to a few thousand pets exceeded 0.25
(``python -m benchmarks.breed_mix``). The limit is therefore estimated each time by a permutation test: blocks
of `PIECE` days are assigned to "before" and "lately" at random a thousand times, which shows how large the
index gets by chance alone. The test permutes blocks of days instead of pets, because one person's photos come
close together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from smartbreed.statistics.drift import ALARM, LEAST, WATCH, State

#: Days in a block, which the permutation test keeps together.
PIECE = 4
#: Number of recent days, and most and fewest days of the baseline.
RECENT_DAYS, FIRST_DAYS, LEAST_DAYS = 28, 88, 28
#: Breeds named fewer times than this, in both periods together, are merged into `OTHERS`.
LEAST_SAID = 20
#: Stands for all rarely named breeds.
OTHERS = ""
#: Number of random draws, and what is added to every bin so that no share is zero.
_DRAWS, _SMOOTH = 999, 0.5
#: Quantiles of the draws that the index must reach to be watched, or to raise the alarm.
_RARE, _RAREST = 0.99, 0.999


@dataclass(frozen=True)
class BreedMix:
    """One comparison of the mix of breeds.

    Attributes:
        state: ``few`` for fewer than `LEAST` pets in either period, or fewer than `LEAST_DAYS` days of
            baseline; else ``stable``, ``watch`` or ``alarm``.
        index: population stability index; None if no comparison was made.
        watch_from, alarm_from: limits of the index for the two states; None if no comparison was made.
        pets, before: number of pets named in recent days, and in the baseline.
        days: number of days in the baseline.
        breeds: breed ids, largest change first; `OTHERS` stands for all rarely named breeds.
        expected, found: how often each was named in the baseline, and in recent days.
    """

    state: State
    index: float | None
    watch_from: float | None
    alarm_from: float | None
    pets: int
    before: int
    days: int
    breeds: tuple[str, ...] = ()
    expected: tuple[int, ...] = ()
    found: tuple[int, ...] = ()


def split(first: dt.date, today: dt.date) -> tuple[dt.date, dt.date, dt.date]:
    """Return the day after the baseline, the first recent day, and the last recent day.

    Args:
        first: day on which the version named a breed for the first time.
        today: the last recent day.
    """
    recent = today - dt.timedelta(days=RECENT_DAYS - 1)
    return min(first + dt.timedelta(days=FIRST_DAYS), recent), recent, today


def compared_mix(counts: Mapping[tuple[dt.date, str], int], first: dt.date, today: dt.date) -> BreedMix:
    """Compare the breeds named in recent days with those of the version's first days.

    Args:
        counts: how often each breed was named on each day; days outside both periods are ignored.
        first: day on which the version named a breed for the first time.
        today: the last recent day.

    Example:
        ```python
        compared_mix({(dt.date(2026, 3, 1), "pug"): 7}, dt.date(2026, 3, 1), dt.date(2026, 6, 1)).state
        ```
    """
    end, recent, last = split(first, today)
    days = max((end - first).days // PIECE * PIECE, 0)
    start = end - dt.timedelta(days=days)
    kept = {
        (day, breed): number
        for (day, breed), number in counts.items()
        if start <= day < end or recent <= day <= last
    }
    said: dict[str, int] = {}
    for (_, breed), number in kept.items():
        said[breed] = said.get(breed, 0) + number
    breeds = [*sorted(breed for breed, number in said.items() if number >= LEAST_SAID), OTHERS]
    column = {breed: place for place, breed in enumerate(breeds)}
    before, lately = days // PIECE, RECENT_DAYS // PIECE
    pieces = np.zeros((before + lately, len(breeds)))
    for (day, breed), number in kept.items():
        place = (day - start).days // PIECE if day < end else before + (day - recent).days // PIECE
        pieces[place, column.get(breed, len(breeds) - 1)] += number
    was, now = pieces[:before].sum(axis=0), pieces[before:].sum(axis=0)
    parts = _parts(was, now)
    order = [place for place in np.argsort(-parts, kind="stable") if was[place] or now[place]]
    shown = (
        tuple(breeds[place] for place in order),
        tuple(int(was[place]) for place in order),
        tuple(int(now[place]) for place in order),
    )
    pets, earlier = int(now.sum()), int(was.sum())
    if min(pets, earlier) < LEAST or days < LEAST_DAYS:
        return BreedMix("few", None, None, None, pets, earlier, days, *shown)
    index, drawn = float(parts.sum()), _by_chance(pieces, lately)
    usual = float(drawn.mean())
    watch_from = max(usual + WATCH, float(np.quantile(drawn, _RARE, method="higher")))
    alarm_from = max(usual + ALARM, float(np.quantile(drawn, _RAREST, method="higher")))
    state: State = "alarm" if index >= alarm_from else "watch" if index >= watch_from else "stable"
    return BreedMix(state, index, watch_from, alarm_from, pets, earlier, days, *shown)


def _by_chance(pieces: np.ndarray, lately: int) -> np.ndarray:
    """Return the index for each random assignment of blocks to "lately"; the seed is fixed."""
    chance, number = np.random.default_rng(0), len(pieces)
    picked = np.argsort(chance.random((_DRAWS, number)), axis=1)[:, :lately]
    drawn = np.zeros((_DRAWS, number))
    np.put_along_axis(drawn, picked, 1.0, axis=1)
    now = drawn @ pieces
    return np.asarray(_parts(pieces.sum(axis=0) - now, now).sum(axis=1))


def _parts(expected: Sequence[float] | np.ndarray, found: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the contribution of each bin to the population stability index, along the last axis."""
    p, q = (np.asarray(one, float) + _SMOOTH for one in (expected, found))
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    return np.asarray((p - q) * np.log(p / q))
