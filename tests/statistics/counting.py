"""Answers made up for counting, and the slow, plain way to count them."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smartbreed.core.errors import PhotoError
from smartbreed.inference.results import Failure, Guess, Identification, ModelVersion, Pet

BREEDS = ("pug", "beagle", "siamese", "border_terrier", "boxer")
VERSIONS = ("1.3.0", "1.4.0")
FIRST = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Clock:
    """Moves when a test says so."""

    def __init__(self) -> None:
        self.now = FIRST

    def __call__(self) -> dt.datetime:
        return self.now


def pet(breed: str = "pug", sure: float = 0.9, verdict: Any = "breed", species: str = "dog") -> Pet:
    nothing = np.zeros(2, np.float32)
    return Pet(
        (0, 0, 9, 9), (0, 0, 9, 9), 0.9, species, verdict, (Guess(breed, breed, sure),),
        Guess("", "", 0.0), nothing, nothing, np.array([sure, 1 - sure], np.float32),
    )  # fmt: skip


def answer(*pets: Pet, version: str = "1.3.0", ms: float = 12.0, whole: bool = False) -> Identification:
    return Identification("", "", 9, 9, pets, ModelVersion("embedded", "0" * 40, version), ms, whole)


def any_answer(chance: random.Random) -> Identification | Failure:
    if chance.random() < 0.05:
        return Failure("", PhotoError(chance.choice(("empty", "truncated")), "It cannot be read."))
    pets = [
        pet(
            chance.choice(BREEDS),
            chance.choice((0.0, 1.0, chance.random(), chance.randrange(16) / 15)),
            chance.choice(("breed", "breed", "group", "unknown")),
            chance.choice(("dog", "cat")),
        )
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 7)))
    ]
    ms = chance.choice((5.0, 5.001, chance.expovariate(1 / 40), 9_000.0))
    return answer(*pets, version=chance.choice(VERSIONS), ms=ms, whole=chance.random() < 0.1)


@dataclass
class Plain:
    """What was answered, one by one, counted only when it is asked for."""

    answers: list[tuple[dt.date, str, Identification | Failure]] = field(default_factory=list)

    def counts(self) -> dict[tuple[dt.date, str, str, str], int]:
        found: Counter[tuple[dt.date, str, str, str]] = Counter()
        bounds = (5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000)
        for day, interface, one in self.answers:
            if isinstance(one, Failure):
                found[day, "now", "failed", one.error.code] += 1
                continue
            keys = [("photo", interface), ("pets", str(len(one.pets) if len(one.pets) < 5 else 5))]
            keys += [("whole", "")] if one.whole else []
            keys += [("latency", next((str(b) for b in bounds if one.milliseconds <= b), "more"))]
            for it in one.pets:
                sure = it.breeds[0].probability
                keys += [("verdict", it.verdict), ("species", it.species)]
                keys += [("breed", it.breeds[0].id)] if it.verdict == "breed" else []
                place = sum(sure * 15 >= bound for bound in range(1, 15))
                keys += [("confidence", str(place))]
            for kind, key in keys:
                found[day, one.model.version, kind, key] += 1
        return dict(found)
