"""A breed the model lacks, learnt from a handful of pictures without taking others' away.

1. *Imprint* (Qi et al. 2018, https://arxiv.org/abs/1712.07136), but where the known rows say a row
   belongs: from the class mean to the row by linear discriminant analysis (inverse of the covariance
   within breeds), scaled as the known rows are.
2. *Fit* that row alone, close to where it was imprinted, on the pictures' views with the weight of a
   whole breed against the replay memory's hardest pictures and the out-of-distribution ones. All other
   rows stay, so no other score moves.
3. *Set* its bias: as high as it may go while it takes no more than `TAKEN` of the latter and of the
   replay memory that was named right. A few pictures say where a breed lies but not how wide it is; the
   other breeds do, and what is no pet at all: known rows were shown such pictures in training, a new one
   that never was becomes the first guess for six of ten of them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from smartbreed.inference.head import Head
from training.models.linear_head import Examples, fit_rows

#: Share that one new breed may take of the out-of-distribution pictures and of the replay memory that was
#: named right (10 of 5,422).
TAKEN = 0.002
#: Weight of all its pictures together, in pictures of the replay memory: as one known breed.
WEIGHT = 40.0
#: Weight of an out-of-distribution picture, in pictures of the replay memory.
OUT_OF_DISTRIBUTION = 5.0
#: Distance of the fitted row from the imprinted one costs this much; see `training.models.linear_head`.
PULL = 8e-5
#: Replay embeddings closest to the imprinted row; the others never come near it.
HARDEST = 1200
#: The covariance within breeds is drawn this far to a sphere: 1280 dimensions, a few thousand pictures.
SHRINKAGE = 0.3


class ParentHead:
    """The parent: head and replay memory, and what follows from both.

    Args:
        head: of the parent.
        memory: its replay memory; labels are the head's.
        out_of_distribution: embeddings of pictures that show no breed ``(m, d)``; None: there are none.
    """

    def __init__(self, head: Head, memory: Examples, out_of_distribution: np.ndarray | None = None) -> None:
        self.head, self.memory, self.out_of_distribution = head, memory, out_of_distribution

    def others(self, head: Head) -> Examples:
        """What is of no new breed: the memory, and out-of-distribution pictures as ``head`` names them."""
        if self.out_of_distribution is None or not len(self.out_of_distribution):
            return self.memory
        taken_for = head.logits(self.out_of_distribution).argmax(1)
        return self.memory.and_(Examples.of(self.out_of_distribution, taken_for, weight=OUT_OF_DISTRIBUTION))

    @cached_property
    def means(self) -> np.ndarray:
        """Mean embedding of each label with any memory ``(labels, d)``."""
        return np.stack(
            [self.memory.embeddings[self.memory.labels == label].mean(0) for label in self._known]
        )

    def imprint(self, photos: np.ndarray) -> np.ndarray:
        """The row ``(d,)`` that a breed with these embeddings ``(n, d)`` would have if it were known."""
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
        """Regression of the known rows on where analysis would put them."""
        directions = np.linalg.solve(self._within, (self.means - self.means.mean(0)).T)
        rows = self.head.kernel[:, self._known] - self._mean_row[:, None]
        return float((directions * rows).sum() / max(float((directions**2).sum()), 1e-12))


def add_breed(parent: ParentHead, head: Head, views: np.ndarray, others: Examples | None = None) -> Head:
    """``head`` with one more label, the new breed.

    Args:
        parent: of the parent; ``head`` may know more (other new breeds).
        head: what the row is added to.
        views: embeddings of its pictures, the unchanged one first, ``(pictures, views, d)``.
        others: more pictures that are not of this breed, such as those of other new breeds.

    Raises:
        ValueError: fewer than 3 pictures; a caller asks for
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
    """Set the bias of the label ``new`` so that it takes `TAKEN` of what ``memory`` was named right."""
    logits = head.logits(memory.embeddings)
    own = logits[:, new].copy()
    logits[:, new] = -np.inf
    right = (logits.argmax(1) == memory.labels) & (memory.labels != new)
    lead = np.sort((own - logits.max(1))[right])[::-1]  # above 0: taken
    if not len(lead):
        return head
    allowed = min(int(TAKEN * len(lead)), len(lead) - 1)
    bias = head.bias.copy()
    bias[new] -= lead[allowed] + 1e-4  # the first that may not be taken stays just below
    return Head(head.kernel, bias)
