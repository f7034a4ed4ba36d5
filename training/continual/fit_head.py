"""Accepted pictures → a new head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartbreed.inference.head import Head
from training.continual.new_breed import ParentHead, add_breed
from training.models.linear_head import Examples, fit_rows

#: Weight of one accepted picture, in pictures of the replay memory.
WEIGHT = 4.0
#: How far replay pictures keep the old head's opinion rather than their label.
KEEP = 0.5
#: Distance of corrected rows from where they stood costs this much; see `training.models.linear_head`.
PULL = 5e-4


@dataclass(frozen=True)
class LabelledViews:
    """Accepted pictures.

    Attributes:
        views: embeddings, the unchanged picture first, float32 ``(n, views, d)``.
        labels: ``(n,)``; from the parent's number of labels on: new breeds.
    """

    views: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> LabelledViews:
        return LabelledViews(self.views[index], self.labels[index])

    def examples(self, weight: float) -> Examples:
        """Every view; those of one picture weigh ``weight`` together."""
        count = self.views.shape[1]
        return Examples.of(
            self.views.reshape(-1, self.views.shape[-1]), np.repeat(self.labels, count), weight=weight / count
        )


def fit_head(parent: ParentHead, accepted: LabelledViews, labels: int) -> Head:
    """The parent's head with new breeds added and corrected ones moved, all others as they were.

    Args:
        parent: parent's head and replay memory.
        accepted: what is to be learnt.
        labels: how many the new head has; a new one without pictures gets a row that never wins.
    """
    old, head = parent.head, parent.head
    for new in range(len(old), labels):
        mine = accepted.labels == new
        if mine.sum() < 3:
            head = head.with_row(np.zeros(len(old.kernel), np.float32), -1e3)
            continue
        others = accepted.take((accepted.labels >= len(old)) & ~mine)
        # What has no row yet is, as far as this row is concerned, whatever it is taken for now.
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
