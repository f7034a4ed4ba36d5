"""How many accepted photos a retraining needs.

The trainer's plan (`training.continual.plan`) uses these same rules, so that a page can say before the start
what the trainer would say after it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeVar

#: Fewest pictures from which a new breed is learnt.
LEAST_PICTURES = 5
#: Fewest new samples that can show whether a new version is better on flagged photos.
LEAST_SAMPLES = 5
#: Share of the accepted samples that is never trained on, by mode. Full mode evaluates no other samples.
HELD_OUT = MappingProxyType({"head": 0.1, "full": 0.2})
#: Samples of a new breed are held out only if it has at least this many.
ENOUGH_TO_SHARE = 20
#: Largest share of the kept samples that one flagger may give, and the number that is always allowed.
FLAGGER_SHARE, FLAGGER_FLOOR = 0.2, 25
#: Fewest flaggers for which that cap applies; with fewer, one person may give all samples.
CROWD = 3


class Flagged(Protocol):
    """A sample with a stable key and the salted hash of its flagger."""

    @property
    def key(self) -> str: ...
    @property
    def flagger(self) -> str: ...


S = TypeVar("S", bound=Flagged)


@dataclass(frozen=True)
class Pet:
    """One accepted pet.

    Attributes:
        key: 16 hex digits, a hash of photo and box.
        label: breed id, which the model may not know.
        name: name of the breed if this decision introduced it; else "".
        flagger: salted hash of the person who flagged it.
    """

    key: str
    label: str
    name: str = ""
    flagger: str = ""


@dataclass(frozen=True)
class Model:
    """The properties of a model that determine how many photos its retraining needs.

    Attributes:
        known: ids of its breeds.
        base: ids of the breeds with pictures in the base dataset.
        learnt: label by key of each sample that it has learnt from or was evaluated on.
        trained_on: keys of the samples that it has learnt from.
    """

    known: frozenset[str]
    base: frozenset[str]
    learnt: Mapping[str, str]
    trained_on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Need:
    """The samples that one mode of retraining has and needs.

    Attributes:
        mode: ``head`` or ``full``.
        have: number of new samples that count: in head mode all that can be learnt, in full mode only
            those that would be held out for evaluation.
        wanted: number of such samples that it needs.
        new_breeds: id and number of pictures of each new breed that has too few to be learnt.
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
        """Accepted photos that are missing; in full mode an estimate, since only a share is held out."""
        missing = max(0, self.wanted - self.have)
        return round(missing / HELD_OUT["full"]) if self.mode == "full" else missing


def need(mode: str, pets: Sequence[Pet], model: Model) -> Need:
    """Compute what a retraining has and needs.

    Args:
        mode: ``head`` or ``full``.
        pets: all accepted pets.
        model: the model that would be retrained.
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
    """Return the new breeds with fewer than `LEAST_PICTURES` samples, and how many each has.

    Args:
        labels: breed id of each sample.
        known: ids of the breeds that the model knows.
    """
    counts = Counter(label for label in labels if label not in known)
    return {label: count for label, count in counts.items() if count < LEAST_PICTURES}


def held_out(
    keys: Sequence[str], labels: Sequence[str], base: Container[str], trained_on: Container[str], share: float
) -> list[bool]:
    """Return for each sample whether it is held out, that is, never trained on; its key decides.

    Args:
        keys, labels: key (a hash of the content) and breed id of each sample.
        base: breeds with enough pictures in the base dataset; samples of any other breed are held out
            only if it has at least `ENOUGH_TO_SHARE`.
        trained_on: keys that an earlier version has learnt from, which cannot be held out any more.
        share: share of the samples to hold out, 0…1.
    """
    counts = Counter(labels)
    return [
        int(key[:8], 16) / 2**32 < share
        and key not in trained_on
        and (label in base or counts[label] >= ENOUGH_TO_SHARE)
        for key, label in zip(keys, labels, strict=True)
    ]


def capped(samples: list[S], *, share: float = FLAGGER_SHARE, floor: int = FLAGGER_FLOOR) -> list[S]:
    """Limit each flagger to ``floor`` samples, or to ``share`` of all kept samples if that is more.

    With fewer than `CROWD` flaggers, all samples are kept. A hash of their keys decides which samples of a
    person are kept, so that the result is independent of their order and the same in every run.
    """
    counts = Counter(sample.flagger for sample in samples)
    if len(counts) < CROWD:
        return samples
    allowed = floor
    while True:  # find the largest allowance that fits: raising it also raises the total
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
