"""Fit a classifier head on embeddings, and measure it on held-out photos.

The head is softmax regression with weight decay, fitted by L-BFGS: about a second for a thousand photos. It
is measured by cross-validation, stratified by class, with near-duplicates in the same fold, so every figure
comes from photos that the head has not seen. Suspicious labels are those that the held-out predictions
contradict most (confident learning, Northcutt et al. 2021, https://arxiv.org/abs/1911.00068). The final head
is fitted on all photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from smartbreed.core.lbfgs import minimise
from smartbreed.inference.classifier import softmax
from smartbreed.inference.head import Head

#: Number of cross-validation folds.
FOLDS = 5
#: Most L-BFGS steps of a fit, and the weight of the L2 penalty on the kernel relative to the mean loss.
_STEPS, _DECAY = 80, 2e-3
#: Temperatures to choose from, and the lowest probability at which a class is given as the answer.
_TEMPERATURES = np.exp(np.linspace(np.log(0.4), np.log(4), 25))
SAID_FROM = 0.5
#: A label below this quality counts as suspicious; and the most that are listed, worst first.
_SUSPICIOUS, MOST_SUSPICIOUS = 0.2, 12
#: Most points of the learning curve that are kept.
_POINTS = 40


@dataclass(frozen=True)
class Step:
    """A point of the learning curve.

    Attributes:
        step: number of the step, from 1.
        loss: on the training photos.
        learnt: accuracy on the training photos, 0…1.
        held_back: accuracy on the held-out photos, 0…1; None if there are none.
    """

    step: int
    loss: float
    learnt: float
    held_back: float | None


@dataclass(frozen=True)
class Suspicious:
    """A photo whose label is probably wrong, judged by a head fitted on other photos.

    Attributes:
        place: index of the photo.
        given: its label.
        likely: the class that was predicted.
        quality: probability of the label divided by that of the predicted class, 0…1.
    """

    place: int
    given: int
    likely: int
    quality: float


@dataclass(frozen=True)
class Taught:
    """A fitted head and its evaluation.

    Attributes:
        head: fitted on all photos.
        temperature: divisor of its logits.
        confusion: int ``(classes, classes)`` over the held-out photos: rows are the labels, columns the
            predictions.
        counts: number of photos of each class.
        steps: learning curve of the first fold.
        suspicious: photos whose labels are probably wrong, worst first.
    """

    head: Head = field(repr=False)
    temperature: float
    confusion: np.ndarray = field(repr=False)
    counts: tuple[int, ...]
    steps: tuple[Step, ...] = field(repr=False)
    suspicious: tuple[Suspicious, ...]

    @property
    def checked(self) -> int:
        """Number of photos that were held out."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of the held-out photos that were classified correctly, 0…1."""
        return float(np.trace(self.confusion) / max(self.checked, 1))


def teach(
    embeddings: np.ndarray,
    labels: np.ndarray,
    classes: int,
    groups: Sequence[int],
    progress: Callable[[Step], object] = lambda step: None,
) -> Taught:
    """Fit a head and measure it.

    Args:
        embeddings: float32 ``(n, d)``, as returned by the classifier.
        labels: int ``(n,)``, 0…classes-1; every class has at least one photo.
        classes: number of classes, at least 2.
        groups: group number of each photo; photos of one group are near-duplicates.
        progress: called with each step of the first fold's fit.

    Example:
        >>> taught = teach(embeddings, labels, 3, groups=range(len(labels)))
        >>> f"{taught.accuracy:.0%} of {taught.checked}"
        '97% of 60'
    """
    folds = split(labels, groups)
    mean, scale = embeddings.mean(0), float(np.sqrt(((embeddings - embeddings.mean(0)) ** 2).sum(1).mean()))
    scaled = ((embeddings - mean) / max(scale, 1e-9)).astype(np.float32)
    steps: list[Step] = []
    logits = np.zeros((len(labels), classes), np.float32)
    for fold in range(FOLDS):
        out = folds == fold
        if not out.any():
            continue

        def note(head: Head, loss: float, held: np.ndarray = out) -> None:
            right = head.logits(scaled).argmax(1) == labels
            step = Step(len(steps) + 1, loss, float(right[~held].mean()), float(right[held].mean()))
            steps.append(step)
            progress(step)

        head = _fit(scaled[~out], labels[~out], classes, None if steps else note)
        logits[out] = head.logits(scaled[out])
    held = folds >= 0
    temperature = _temperature(logits[held], labels[held]) if held.any() else 1.0
    probabilities = softmax(logits / temperature)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels[held], probabilities[held].argmax(1)), 1)
    final = _fit(scaled, labels, classes)
    kernel = (final.kernel / max(scale, 1e-9)).astype(np.float32)
    return Taught(
        Head(kernel, (final.bias - mean @ kernel).astype(np.float32)),
        temperature,
        confusion,
        tuple(int(count) for count in np.bincount(labels, minlength=classes)),
        _thinned(steps),
        _suspicious(probabilities, labels, held),
    )


def split(labels: np.ndarray, groups: Sequence[int]) -> np.ndarray:
    """Return the fold, 0…`FOLDS`-1, in which each photo is held out; -1 if it never is.

    The folds are stratified by class, and photos of one group share a fold. A class with a single group is
    never held out, because nothing of it would be left to train on.
    """
    folds = np.full(len(labels), -1)
    of_group = np.asarray(groups)
    generator = np.random.default_rng(0)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        found = generator.permutation(np.unique(of_group[mine]))
        if len(found) < 2:
            continue
        part = {group: place % min(FOLDS, len(found)) for place, group in enumerate(found)}
        folds[mine] = [part[group] for group in of_group[mine]]
    return folds


def _fit(
    inputs: np.ndarray, labels: np.ndarray, classes: int, note: Callable[[Head, float], None] | None = None
) -> Head:
    """Fit a head; every class has the same weight, however many photos it has."""
    d = inputs.shape[1]
    weights = (1 / np.maximum(np.bincount(labels, minlength=classes), 1))[labels].astype(np.float32)
    shares = (weights / weights.sum())[:, None]
    wanted = np.eye(classes, dtype=np.float32)[labels]

    def head_of(x: np.ndarray) -> Head:
        return Head(x[: d * classes].reshape(d, classes), x[d * classes :])

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        head = head_of(x)
        probabilities = softmax(head.logits(inputs))
        likely = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
        loss = float(-(shares[:, 0] * np.log(likely)).sum() + _DECAY * (head.kernel**2).sum())
        by_logit = shares * (probabilities - wanted)
        kernel = inputs.T @ by_logit + 2 * _DECAY * head.kernel
        return loss, np.concatenate([kernel.ravel(), by_logit.sum(0)]).astype(np.float32)

    each = None if note is None else lambda x, loss: note(head_of(x), loss)
    start = np.zeros(d * classes + classes, np.float32)
    return head_of(minimise(objective, start, iterations=_STEPS, each=each))


def _temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the lowest cross-entropy on the held-out photos."""
    at = np.arange(len(labels))
    losses = [-np.log(np.maximum(softmax(logits / t)[at, labels], 1e-9)).mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def _suspicious(probabilities: np.ndarray, labels: np.ndarray, held: np.ndarray) -> tuple[Suspicious, ...]:
    quality = probabilities[np.arange(len(labels)), labels] / np.maximum(probabilities.max(1), 1e-9)
    order = [int(place) for place in np.argsort(quality, kind="stable") if held[place]]
    found = [place for place in order if quality[place] < _SUSPICIOUS][:MOST_SUSPICIOUS]
    return tuple(
        Suspicious(place, int(labels[place]), int(probabilities[place].argmax()), float(quality[place]))
        for place in found
    )


def _thinned(steps: Sequence[Step]) -> tuple[Step, ...]:
    if len(steps) <= _POINTS:
        return tuple(steps)
    places = np.unique(np.linspace(0, len(steps) - 1, _POINTS).round().astype(int))
    return tuple(steps[place] for place in places)
