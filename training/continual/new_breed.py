"""Add a breed that the model lacks, from a handful of pictures, without taking other breeds' pictures.

1. *Imprint* a row (Qi et al. 2018, https://arxiv.org/abs/1712.07136), but not at the class mean. Linear
   discriminant analysis (with the inverse of the within-breed covariance) turns the class mean into a
   row, which is scaled as the known rows are.
2. *Fit* that row alone, close to the imprinted one. The pictures' views together weigh as much as a known
   breed, against the hardest replay pictures and the out-of-distribution pictures. All other rows stay,
   so no other score moves.
3. *Set* its bias as high as possible while it takes no more than the share `TAKEN` of those other pictures
   that are named right. A few pictures show where a breed lies but not how wide it is; the other breeds
   and the out-of-distribution pictures do. Known rows have seen pet-less pictures in training; a new row
   that has not becomes the first guess for six of ten of them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from smartbreed.inference.head import Head
from training.models.linear_head import Examples, fit_rows

#: Largest share that a new breed may take of the out-of-distribution pictures and correctly named replay
#: pictures (10 of 5,422).
TAKEN = 0.002
#: Weight of all pictures of the new breed together, in replay pictures: that of one known breed.
WEIGHT = 40.0
#: Weight of an out-of-distribution picture, in replay pictures.
OUT_OF_DISTRIBUTION = 5.0
#: Weight of the squared distance from the imprinted row; see `training.models.linear_head`.
PULL = 8e-5
#: Number of hardest replay embeddings fitted against; the others never come near the new row.
HARDEST = 1200
#: Shrinkage of the within-breed covariance to a sphere, 0…1: 1280 dimensions, only a few thousand pictures.
SHRINKAGE = 0.3


class ParentHead:
    """The parent's head and replay memory, and statistics derived from them.

    Args:
        head: the parent's head.
        memory: the parent's replay memory, with the head's label numbers.
        out_of_distribution: embeddings of pictures that show no breed ``(m, d)``; None if there are none.
    """

    def __init__(self, head: Head, memory: Examples, out_of_distribution: np.ndarray | None = None) -> None:
        self.head, self.memory, self.out_of_distribution = head, memory, out_of_distribution

    def others(self, head: Head) -> Examples:
        """Return examples of no new breed: the memory and out-of-distribution pictures.

        The latter are labelled with the first guess of ``head``.
        """
        if self.out_of_distribution is None or not len(self.out_of_distribution):
            return self.memory
        taken_for = head.logits(self.out_of_distribution).argmax(1)
        return self.memory.and_(Examples.of(self.out_of_distribution, taken_for, weight=OUT_OF_DISTRIBUTION))

    @cached_property
    def means(self) -> np.ndarray:
        """Mean embedding of each label that occurs in the memory, ``(labels, d)``."""
        return np.stack(
            [self.memory.embeddings[self.memory.labels == label].mean(0) for label in self._known]
        )

    def imprint(self, photos: np.ndarray) -> np.ndarray:
        """Return the row ``(d,)`` that a known breed with these embeddings ``(n, d)`` would have."""
        direction = np.linalg.solve(self._within, photos.mean(0) - self.means.mean(0))
        return np.asarray(self._mean_row + self._scale * direction, np.float32)

    @cached_property
    def _known(self) -> np.ndarray:
        return np.unique(self.memory.labels)

    @cached_property
    def _within(self) -> np.ndarray:
        place = np.searchsorted(self._known, self.memory.labels)
        apart = self.memory.embeddings - self.means[place]
        covariance = apart.T @ apart / len(apart)
        sphere = np.trace(covariance) / len(covariance) * np.eye(len(covariance), dtype=np.float32)
        return np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * sphere)

    @cached_property
    def _mean_row(self) -> np.ndarray:
        return np.asarray(self.head.kernel[:, self._known].mean(1))

    @cached_property
    def _scale(self) -> float:
        """Factor from the discriminant directions to the known rows, by least squares."""
        directions = np.linalg.solve(self._within, (self.means - self.means.mean(0)).T)
        rows = self.head.kernel[:, self._known] - self._mean_row[:, None]
        return float((directions * rows).sum() / max(float((directions**2).sum()), 1e-12))


def add_breed(parent: ParentHead, head: Head, views: np.ndarray, others: Examples | None = None) -> Head:
    """Return ``head`` with one more label, the new breed.

    Args:
        parent: the parent's head and replay memory; ``head`` may already have other new breeds.
        head: head that the row is added to.
        views: embeddings of the breed's pictures, the unchanged one first, ``(pictures, views, d)``.
        others: more pictures that are not of this breed, such as those of other new breeds.

    Raises:
        ValueError: fewer than 3 pictures. Callers require
            `smartbreed.dataset.needs.LEAST_PICTURES`.
    """
    if len(views) < 3:
        raise ValueError(f"A breed cannot be learnt from so few pictures. Received: {len(views)}")
    memory = parent.others(head)
    if others is not None and len(others):
        memory = memory.and_(others)
    grown = head.with_row(parent.imprint(views[:, 0]), float(head.bias.mean()))
    new = len(grown) - 1
    logits = grown.logits(memory.embeddings)
    nearness = logits[:, new] - logits[:, :new].max(1)
    hardest = memory.take(np.argsort(-nearness)[:HARDEST])
    shown = views.reshape(-1, views.shape[-1])
    pictures = Examples.of(shown, np.full(len(shown), new), weight=WEIGHT / len(shown))
    fitted = fit_rows(grown, np.array([new]), hardest.and_(pictures), pull=PULL)
    return set_bias(fitted, new, memory)


def set_bias(head: Head, new: int, memory: Examples) -> Head:
    """Set the bias of label ``new`` so that it takes at most a share `TAKEN` of what other labels name right.

    Args:
        head: the head.
        new: label number.
        memory: examples that are not of the new breed.
    """
    logits = head.logits(memory.embeddings)
    own = logits[:, new].copy()
    logits[:, new] = -np.inf
    right = (logits.argmax(1) == memory.labels) & (memory.labels != new)
    lead = np.sort((own - logits.max(1))[right])[::-1]  # above 0: the new label wins
    if not len(lead):
        return head
    allowed = min(int(TAKEN * len(lead)), len(lead) - 1)
    bias = head.bias.copy()
    bias[new] -= lead[allowed] + 1e-4  # the first picture that must not be taken stays just below
    return Head(head.kernel, bias)
