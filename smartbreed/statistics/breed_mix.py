"""Whether other breeds are sent of late than before, when the version that answers was young.

What is compared are the breeds that were said, as shares: those of the last days with those of the first
days of the version. The test pictures are no measure for it: they show each breed about as often, and
people do not.

The population stability index of two samples grows with the number of breeds, shrinks with the number of
pets, and grows when the same pet is sent many times, so no fixed limit fits: on shares that do not change
at all, 0.25 was passed by 40 to 100 of 100 comparisons of a few hundred to a few thousand pets
(``python -m benchmarks.breed_mix``). The limit is therefore measured each time: the pieces of `PIECE` days
are drawn anew into "before" and "lately" a thousand times, which says how large the index becomes by
chance alone. Pieces, not pets, because the photos of one person come together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from smartbreed.statistics.drift import ALARM, LEAST, WATCH, State

#: Days that stay together when chance is measured.
PIECE = 4
#: Days of late, and the most and the fewest days that they are compared with.
RECENT_DAYS, FIRST_DAYS, LEAST_DAYS = 28, 88, 28
#: Breeds said less often than this, before and lately together, are one.
LEAST_SAID = 20
#: Stands for those.
OTHERS = ""
_DRAWS, _SMOOTH = 999, 0.5
#: Shares of the draws that a shift must be above to be watched, or to raise the alarm.
_RARE, _RAREST = 0.99, 0.999


@dataclass(frozen=True)
class BreedMix:
    """One comparison.

    Attributes:
        state: ``few``: fewer than `LEAST` pets on either side, or fewer than `LEAST_DAYS` days before.
        index: population stability index; None where not compared.
        watch_from, alarm_from: what the index must reach; None where not compared.
        pets, before: named lately, and before.
        days: before, of those that are compared with.
        breeds: ids, those that changed most first; `OTHERS`: all that were said rarely.
        expected, found: number of each before, and lately.
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
    """The day after the days compared with, the first day of late, and the last day of all.

    Args:
        first: on which the version said a breed for the first time.
    """
    recent = today - dt.timedelta(days=RECENT_DAYS - 1)
    return min(first + dt.timedelta(days=FIRST_DAYS), recent), recent, today


def compared_mix(counts: Mapping[tuple[dt.date, str], int], first: dt.date, today: dt.date) -> BreedMix:
    """Which breeds were said of late, against the first days of the version.

    Args:
        counts: how often each breed was said on each day; days outside of both times do not matter.
        first: on which the version said a breed for the first time.
        today: the last day.

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
    """The index for each of many draws of which pieces are those of late; the same draws each time."""
    chance, number = np.random.default_rng(0), len(pieces)
    picked = np.argsort(chance.random((_DRAWS, number)), axis=1)[:, :lately]
    drawn = np.zeros((_DRAWS, number))
    np.put_along_axis(drawn, picked, 1.0, axis=1)
    now = drawn @ pieces
    return np.asarray(_parts(pieces.sum(axis=0) - now, now).sum(axis=1))


def _parts(expected: Sequence[float] | np.ndarray, found: Sequence[float] | np.ndarray) -> np.ndarray:
    """What each bin adds to the population stability index, along the last axis."""
    p, q = (np.asarray(one, float) + _SMOOTH for one in (expected, found))
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    return np.asarray((p - q) * np.log(p / q))
