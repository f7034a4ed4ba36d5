"""Whether the photos of late are like those that the model was measured on.

Two things are compared, each as a histogram: how sure the first guess is (against the test pictures of
``evaluation.json``), and how alike the embedding is to the nearest breed as the model learnt it (against
the held-back pictures of ``gate.npz``, else the training pictures of ``replay.npz``). The distance is the
population stability index, the sum over the bins of ``(p - q) ln(p / q)``; by convention below 0.1 is
stable and above 0.25 has shifted.
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

#: Fewer pets than this say nothing of a shift.
LEAST = 200
WATCH, ALARM = 0.1, 0.25
#: Stands for what no picture has fallen into, so that one in an empty bin is not infinitely strange.
_SMOOTH = 0.5

State = Literal["unknown", "few", "stable", "watch", "alarm"]


@dataclass(frozen=True)
class Baseline:
    """What a bundle was measured on.

    Attributes:
        confidences, likenesses: pictures in each bin; empty: not known.
        centres: unit vectors of its breeds, ``(breeds, d)``; None: not known.
    """

    version: str
    confidences: tuple[int, ...] = ()
    likenesses: tuple[int, ...] = ()
    centres: np.ndarray | None = field(default=None, repr=False, compare=False)

    def likeness(self, embeddings: Sequence[np.ndarray] | np.ndarray) -> list[float] | None:
        """Cosine of each embedding ``(d,)`` and its nearest centre, held to 0…1; None: not known."""
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
        state: ``unknown``: the bundle has nothing to compare with; ``few``: fewer than `LEAST` pets.
        index: population stability index; None where not compared.
        pets, pictures: compared, and compared with.
        expected, found: share of each bin.
    """

    what: Literal["confidence", "likeness"]
    state: State
    index: float | None
    pets: int
    pictures: int
    expected: tuple[float, ...] = ()
    found: tuple[float, ...] = ()


def baseline_of(bundle: Bundle) -> Baseline:
    """What a bundle was measured on; takes some 50 ms."""
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
    """Counts of late, by the number of the bin as text, against what was measured."""
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
    """The population stability index of two histograms with the same bins."""
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
