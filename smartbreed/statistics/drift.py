"""Detect drift: do recent photos resemble the ones that the model was evaluated on?

Two histograms are compared. One is the confidence of the first guess, against the test pictures of
``evaluation.json``. The other is the similarity of an embedding to the nearest breed as the model learnt it,
against the held-out pictures of ``gate.npz`` or, without that file, the training pictures of ``replay.npz``.
The distance is the population stability index (PSI), the sum over the bins of ``(p - q) ln(p / q)``. By
convention, a value below 0.1 is stable and a value from 0.25 on is a shift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.evaluation import evaluation_of
from smartbreed.inference.stored_embeddings import GATE, read_embeddings
from smartbreed.review.scores import load_memory
from smartbreed.statistics.usage import CONFIDENCES, LIKENESSES, bin_of

#: Below this many pets, no comparison is made.
LEAST = 200
#: Values of the index from which a shift is watched, and from which it raises the alarm.
WATCH, ALARM = 0.1, 0.25
#: Added to the count of every bin, so that an empty one does not make the index infinite.
_SMOOTH = 0.5

State = Literal["unknown", "few", "stable", "watch", "alarm"]


@dataclass(frozen=True)
class Baseline:
    """The histograms of the pictures that a bundle was evaluated on.

    Attributes:
        version: version of the bundle.
        confidences, likenesses: number of pictures in each bin; empty if unknown.
        centres: mean embedding of each breed as a unit vector, ``(breeds, d)``; None if unknown.
    """

    version: str
    confidences: tuple[int, ...] = ()
    likenesses: tuple[int, ...] = ()
    centres: np.ndarray | None = field(default=None, repr=False, compare=False)

    def likeness(self, embeddings: Sequence[np.ndarray] | np.ndarray) -> list[float] | None:
        """Return the cosine of each embedding ``(d,)`` to its nearest centre, clipped to 0…1.

        None if the centres are unknown or of another dimension.
        """
        vectors = np.asarray(embeddings, np.float32)
        if self.centres is None or vectors.ndim != 2 or vectors.shape[1] != self.centres.shape[1]:
            return None
        nearest = (_unit(vectors) @ self.centres.T).max(axis=1)
        return [float(value) for value in np.clip(nearest, 0.0, 1.0)]


@dataclass(frozen=True)
class Drift:
    """One comparison.

    Attributes:
        what: ``confidence`` or ``likeness``.
        state: ``unknown`` if the bundle has nothing to compare with, ``few`` for fewer than `LEAST` pets;
            else ``stable``, ``watch`` or ``alarm``.
        index: population stability index; None if no comparison was made.
        pets, pictures: number of recent pets, and of pictures that they are compared with.
        expected, found: share of those pictures, and of recent pets, in each bin.
    """

    what: Literal["confidence", "likeness"]
    state: State
    index: float | None
    pets: int
    pictures: int
    expected: tuple[float, ...] = ()
    found: tuple[float, ...] = ()


def baseline_of(bundle: Bundle) -> Baseline:
    """Compute the histograms that a bundle was evaluated on; takes about 50 ms."""
    evaluation = evaluation_of(bundle)
    confidences = [0] * CONFIDENCES
    for one in evaluation.reliability if evaluation else ():
        confidences[bin_of((one.least + one.most) / 2, CONFIDENCES)] += one.pictures
    memory = load_memory(bundle)
    if not len(memory.vectors):
        return Baseline(bundle.config.version, tuple(confidences) if any(confidences) else ())
    centres = _unit(
        np.stack(
            [memory.vectors[memory.labels == label].mean(axis=0) for label in dict.fromkeys(memory.labels)]
        )
    )
    plain = Baseline(bundle.config.version, tuple(confidences) if any(confidences) else (), (), centres)
    likenesses = [0] * LIKENESSES
    for value in plain.likeness(_held_back(bundle, memory.vectors)) or ():
        likenesses[bin_of(value, LIKENESSES)] += 1
    return Baseline(plain.version, plain.confidences, tuple(likenesses) if any(likenesses) else (), centres)


def compared(
    what: Literal["confidence", "likeness"], expected: Sequence[int], counts: Mapping[str, int]
) -> Drift:
    """Compare recent counts with the baseline.

    Args:
        what: name of the comparison.
        expected: number of baseline pictures in each bin; empty if unknown.
        counts: number of recent pets by index of the bin, as text.
    """
    found = [counts.get(str(place), 0) for place in range(len(expected))]
    pets, pictures = sum(counts.values()), sum(expected)
    if not expected:
        return Drift(what, "unknown", None, pets, 0)
    shares = tuple(one / pictures for one in expected), tuple(one / max(pets, 1) for one in found)
    if pets < LEAST:
        return Drift(what, "few", None, pets, pictures, *shares)
    index = stability_index(expected, found)
    state: State = "alarm" if index >= ALARM else "watch" if index >= WATCH else "stable"
    return Drift(what, state, index, pets, pictures, *shares)


def stability_index(expected: Sequence[int], found: Sequence[int]) -> float:
    """Return the population stability index of two histograms with the same bins."""
    p, q = _smoothed(expected), _smoothed(found)
    return sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def _smoothed(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + _SMOOTH * len(counts)
    return [(count + _SMOOTH) / total for count in counts]


def _held_back(bundle: Bundle, otherwise: np.ndarray) -> np.ndarray:
    if GATE not in bundle.config.files:
        return otherwise
    try:
        vectors = read_embeddings(bundle.path(GATE)).embeddings
    except BundleError:
        return otherwise
    return vectors if len(vectors) else otherwise


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)
