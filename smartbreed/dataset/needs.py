"""How many accepted photos a retraining needs.

These are the rules of the trainer's plan (`training.continual.plan` takes them from here), so that a page
can say before the start what the trainer would say after it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeVar

#: Fewer pictures do not make a breed that the model lacks.
LEAST_PICTURES = 5
#: Fewer new samples do not show whether a new version is better on what was flagged.
LEAST_SAMPLES = 5
#: Share of accepted samples never trained on, by mode. Full mode judges on nothing else.
HELD_OUT = MappingProxyType({"head": 0.1, "full": 0.2})
#: A new breed gives samples away only beyond this many.
ENOUGH_TO_SHARE = 20
#: Largest share of all accepted samples that one flagger may have, and how many always count.
FLAGGER_SHARE, FLAGGER_FLOOR = 0.2, 25
#: With fewer people there is no crowd to protect: a single user may give all samples.
CROWD = 3


class Flagged(Protocol):
    """A sample: a lasting key, and the salted hash of its flagger."""

    @property
    def key(self) -> str: ...
    @property
    def flagger(self) -> str: ...


S = TypeVar("S", bound=Flagged)


@dataclass(frozen=True)
class Pet:
    """One accepted pet.

    Attributes:
        key: 16 hex digits of photo and box.
        label: breed id; the model may lack it.
        name: of a breed that this very decision introduced; else "".
        flagger: salted hash.
    """

    key: str
    label: str
    name: str = ""
    flagger: str = ""


@dataclass(frozen=True)
class Model:
    """What of a model decides how much it needs.

    Attributes:
        known: ids of its breeds.
        base: those with pictures of the base dataset.
        learnt: label of each sample it has learnt from or was evaluated on, by key.
        trained_on: keys of those it has learnt from.
    """

    known: frozenset[str]
    base: frozenset[str]
    learnt: Mapping[str, str]
    trained_on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Need:
    """What one mode of retraining has and needs.

    Attributes:
        mode: ``head`` or ``full``.
        have: new samples that count: all that can be learnt; in full mode those it would be evaluated on.
        wanted: how many of them it needs.
        new_breeds: id of each new breed with too few pictures to be learnt, and how many it has.
    """

    mode: str
    have: int
    wanted: int = LEAST_SAMPLES
    new_breeds: tuple[tuple[str, int], ...] = ()

    @property
    def ready(self) -> bool:
        return self.have >= self.wanted

    @property
    def more(self) -> int:
        """Accepted photos that are missing; in full mode an estimate, as only a share is held out."""
        missing = max(0, self.wanted - self.have)
        return round(missing / HELD_OUT["full"]) if self.mode == "full" else missing


def need(mode: str, pets: Sequence[Pet], model: Model) -> Need:
    """Whether enough was accepted for a retraining.

    Args:
        mode: ``head`` or ``full``.
        pets: all accepted ones.
        model: that would be retrained.
    """
    kept = capped(list(pets))
    short = too_few((pet.label for pet in kept), model.known)
    kept = [pet for pet in kept if pet.label not in short]
    fresh = [model.learnt.get(pet.key) != pet.label for pet in kept]
    if mode == "full":
        keys, labels = [pet.key for pet in kept], [pet.label for pet in kept]
        reserved = held_out(keys, labels, model.base, model.trained_on, HELD_OUT["full"])
        fresh = [new and out for new, out in zip(fresh, reserved, strict=True)]
    return Need(mode, sum(fresh), new_breeds=tuple(sorted(short.items())))


def too_few(labels: Iterable[str], known: Container[str]) -> dict[str, int]:
    """New breeds with fewer than `LEAST_PICTURES` samples, and how many they have.

    Args:
        labels: one a sample.
        known: breeds the model has.
    """
    counts = Counter(label for label in labels if label not in known)
    return {label: count for label, count in counts.items() if count < LEAST_PICTURES}


def held_out(
    keys: Sequence[str], labels: Sequence[str], base: Container[str], trained_on: Container[str], share: float
) -> list[bool]:
    """Which samples are never trained on, by their key (a hash of the content).

    Args:
        keys, labels: one a sample.
        base: breeds with enough pictures in the base dataset; others give none away below
            `ENOUGH_TO_SHARE`.
        trained_on: keys that an earlier version has learnt from: too late to hold them out.
        share: of the samples, 0…1.
    """
    counts = Counter(labels)
    return [
        int(key[:8], 16) / 2**32 < share
        and key not in trained_on
        and (label in base or counts[label] >= ENOUGH_TO_SHARE)
        for key, label in zip(keys, labels, strict=True)
    ]


def capped(samples: list[S], *, share: float = FLAGGER_SHARE, floor: int = FLAGGER_FLOOR) -> list[S]:
    """No person gives more than ``floor`` samples, or ``share`` of all that are kept if that is more.

    With fewer than `CROWD` people all samples count.
    Which samples of a person stay is decided by their keys, so that the order of flags and a second
    run change nothing.
    """
    counts = Counter(sample.flagger for sample in samples)
    if len(counts) < CROWD:
        return samples
    allowed = floor
    while True:  # the most that fits: raising one person's allowance raises the whole
        total = sum(min(count, allowed + 1) for count in counts.values())
        if allowed >= max(counts.values(), default=0) or allowed + 1 > share * total:
            break
        allowed += 1
    kept: Counter[str] = Counter()
    chosen = set()
    for sample in sorted(samples, key=lambda one: hashlib.sha256(one.key.encode()).digest()):
        if kept[sample.flagger] < allowed:
            kept[sample.flagger] += 1
            chosen.add(sample.key)
    return [sample for sample in samples if sample.key in chosen]
