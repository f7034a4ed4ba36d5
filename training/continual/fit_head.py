"""Fit a new head from accepted pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartbreed.inference.head import Head
from training.continual.new_breed import ParentHead, add_breed
from training.models.linear_head import Examples, fit_rows

#: Weight of one accepted picture, in replay pictures.
WEIGHT = 4.0
#: Share of the old head's opinion, as opposed to the label, in the targets of replay pictures, 0…1.
KEEP = 0.5
#: Weight of the squared distance of corrected rows from their start; see `training.models.linear_head`.
PULL = 5e-4


@dataclass(frozen=True)
class LabelledViews:
    """Accepted pictures as embeddings with labels.

    Attributes:
        views: embeddings, the unchanged picture first, float32 ``(n, views, d)``.
        labels: ``(n,)``; numbers from the parent's label count upwards are new breeds.
    """

    views: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> LabelledViews:
        return LabelledViews(self.views[index], self.labels[index])

    def examples(self, weight: float) -> Examples:
        """Return every view as an example; the views of one picture share the weight ``weight``."""
        count = self.views.shape[1]
        return Examples.of(
            self.views.reshape(-1, self.views.shape[-1]), np.repeat(self.labels, count), weight=weight / count
        )


def fit_head(parent: ParentHead, accepted: LabelledViews, labels: int) -> Head:
    """Add new breeds to the parent's head and move the rows of corrected ones; other rows stay unchanged.

    Args:
        parent: the parent's head and replay memory.
        accepted: pictures to learn from.
        labels: label count of the new head. A new label with fewer than 3 pictures gets a row that cannot
            win.
    """
    old, head = parent.head, parent.head
    for new in range(len(old), labels):
        mine = accepted.labels == new
        if mine.sum() < 3:
            head = head.with_row(np.zeros(len(old.kernel), np.float32), -1e3)
            continue
        others = accepted.take((accepted.labels >= len(old)) & ~mine)
        # Pictures of breeds that have no row yet are labelled with the current first guess.
        taken_for = head.logits(others.views[:, 0]).argmax(1)
        others = LabelledViews(others.views, np.where(others.labels > new, taken_for, others.labels))
        head = add_breed(parent, head, accepted.views[mine], others.examples(1.0))
    known = accepted.take(accepted.labels < len(old))
    if not len(known):
        return head
    said = head.logits(known.views[:, 0]).argmax(1)
    rows = np.unique(np.concatenate([known.labels, said]))
    rows = rows[rows < len(old)]
    memory = Examples.of(parent.memory.embeddings, parent.memory.labels, keep=KEEP)
    fresh = accepted.take(accepted.labels >= len(old)).examples(1.0)
    return fit_rows(head, rows, memory.and_(fresh).and_(known.examples(WEIGHT)), pull=PULL)
