"""Answers of champion and challenger to the samples accepted since the champion's training, all unseen.

The challenger itself answers held-out samples. A sample that it learns from is answered by a head
fitted without that sample's fifth (cross-fitting). Five more fits of a second each make every accepted
sample count; holding out a fifth of twenty would leave four.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartbreed.dataset.needs import HELD_OUT, held_out
from smartbreed.inference.head import Head
from training.continual.fit_head import LabelledViews, fit_head
from training.continual.new_breed import ParentHead

#: Parts of the samples for cross-fitting.
FOLDS = 5


@dataclass(frozen=True)
class Answers:
    """Logits of both models for the same samples.

    Attributes:
        labels: the challenger's label numbers ``(n,)``.
        champion: logits ``(n, labels)``; the champion may have fewer labels.
        challenger: logits ``(n, labels)``.
    """

    labels: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def split(
    keys: list[str], labels: np.ndarray, known: int, trained_on: set[str], share: float = HELD_OUT["head"]
) -> np.ndarray:
    """Return a mask of the samples that are never trained on, chosen by key (a hash of the content).

    Args:
        keys: one per sample.
        labels: ``(n,)``; numbers from ``known`` upwards are new to the base model.
        known: number of labels with pictures in the base dataset.
        trained_on: keys that an earlier version has learnt from; these cannot be held out any more.
        share: share of the samples to hold out, 0…1.
    """
    base = {str(label) for label in range(known)}
    return np.array(held_out(keys, [str(label) for label in labels], base, trained_on, share), bool)


def folds_of(keys: list[str], labels: np.ndarray) -> np.ndarray:
    """Return the fold of each sample ``(n,)``: set by its key, with every label spread over all folds."""
    fold = np.zeros(len(keys), np.int64)
    order = np.argsort(np.array(keys, dtype=str), kind="stable")
    seen: dict[int, int] = {}
    for place in order:
        label = int(labels[place])
        # Start each label at a different fold, or all breeds with one sample would share a fold.
        fold[place] = (seen.setdefault(label, int(keys[place][-4:], 16)) + 1) % FOLDS
        seen[label] += 1
    return fold


def answer(
    parent: ParentHead,
    challenger: Head,
    trained_on: LabelledViews,
    keys: list[str],
    held_out: LabelledViews,
    new: np.ndarray,
) -> Answers:
    """Return the answers to the samples of ``new`` and to the held-out ones.

    Args:
        parent: the champion's head and replay memory.
        challenger: the head fitted to all of ``trained_on``.
        trained_on: samples the challenger has learnt from.
        keys: keys of ``trained_on``.
        held_out: samples that neither model has learnt from.
        new: mask over ``trained_on`` of samples that the champion has not learnt from.
    """
    fold = folds_of(keys, trained_on.labels)
    seen = challenger.logits(trained_on.views[:, 0])
    for number in np.unique(fold[new]):
        out = fold == number
        head = fit_head(parent, trained_on.take(np.flatnonzero(~out)), len(challenger))
        seen[out] = head.logits(trained_on.views[out, 0])
    mine, away = trained_on.views[new, 0], held_out.views[:, 0]
    return Answers(
        np.concatenate([trained_on.labels[new], held_out.labels]),
        parent.head.logits(np.concatenate([mine, away])),
        np.concatenate([seen[new], challenger.logits(away)]),
    )
