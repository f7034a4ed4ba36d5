"""What champion and challenger make of what was flagged since the champion learnt, both unseen.

A sample that is held out is answered by the challenger itself. One it learns from is answered by a
head fitted in the same way without that sample's fifth of all: five more fits of a second each
make every accepted sample count, where holding out a fifth of twenty would leave four.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartbreed.dataset.needs import HELD_OUT, held_out
from smartbreed.inference.head import Head
from training.continual.fit_head import LabelledViews, fit_head
from training.continual.new_breed import ParentHead

FOLDS = 5


@dataclass(frozen=True)
class Answers:
    """Logits of the same samples; the champion has fewer labels, ``labels`` are the challenger's."""

    labels: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def split(
    keys: list[str], labels: np.ndarray, known: int, trained_on: set[str], share: float = HELD_OUT["head"]
) -> np.ndarray:
    """Mask of the samples held out for good, by their key (a hash of the content).

    Args:
        keys: of every sample.
        labels: ``(n,)``; from ``known`` on new to the base model.
        known: labels with enough pictures in the base dataset.
        trained_on: keys that an earlier version has learnt from: too late to hold them out.
        share: of the samples, 0…1.
    """
    base = {str(label) for label in range(known)}
    return np.array(held_out(keys, [str(label) for label in labels], base, trained_on, share), bool)


def folds_of(keys: list[str], labels: np.ndarray) -> np.ndarray:
    """A fold of each sample ``(n,)``: by its key, every label spread over all folds."""
    fold = np.zeros(len(keys), np.int64)
    order = np.argsort(np.array(keys, dtype=str), kind="stable")
    seen: dict[int, int] = {}
    for place in order:
        label = int(labels[place])
        # Begin each label elsewhere, or breeds with one sample would all lie in one fold.
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
    """Answers to the samples of ``new`` and to those held out.

    Args:
        parent: champion's head and replay memory.
        challenger: the head fitted to all of ``trained_on``.
        trained_on: what the challenger has learnt from.
        keys: of ``trained_on``.
        held_out: what neither has learnt from.
        new: mask over ``trained_on`` of the samples the champion has not learnt from either.
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
