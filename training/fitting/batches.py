"""Shuffled, augmented and mixed batches of crops; the same seed and epoch give the same batches."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from training.augment.crops import CropAugmentation, Mixing, view
from training.models.embeddings import scale

#: (rng) → the indices of one epoch, in order.
Draw = Callable[[np.random.Generator], np.ndarray]


def oversampled(times: np.ndarray) -> Draw:
    """Return a draw that shows picture ``i`` ``times[i]`` times an epoch.

    The fraction of ``times[i]`` is the probability of showing it once more.

    Args:
        times: at least 0, ``(count,)``.
    """

    def draw(rng: np.random.Generator) -> np.ndarray:
        counts = np.floor(times + rng.random(len(times))).astype(int)
        return rng.permutation(np.repeat(np.arange(len(times)), counts))

    return draw


class CropBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of float32 pictures in -1…1 and soft targets.

    Args:
        images: uint8 ``(count, size, size, 3)``.
        targets: ``(count, classes)``, or ``(views, count, classes)`` for fixed views of each picture; then
            those views are shown (`training.distillation.targets`).
        batch: pictures per batch; an incomplete last batch is dropped.
        seed: seed of every random choice.
        draw: chooses the pictures of an epoch; by default each of them once.
        augment: random change of each picture; None for none.
        mixing: MixUp and CutMix of whole batches; None for none.
    """

    def __init__(
        self,
        images: np.ndarray,
        targets: np.ndarray,
        batch: int,
        seed: int,
        *,
        draw: Draw | None = None,
        augment: CropAugmentation | None = None,
        mixing: Mixing | None = None,
    ) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.images, self.targets, self.batch, self.seed = images, targets, batch, seed
        self.draw = draw or (lambda rng: rng.permutation(len(images)))
        self.augment, self.mixing = augment, mixing
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Shuffle for ``epoch``, counted from 0; a resumed run starts at a later one."""
        self.epoch = epoch
        self.order = self.draw(np.random.default_rng((self.seed, epoch)))
        # Every epoch has as many steps as the first; schedules and progress rely on it.
        self.steps = getattr(self, "steps", len(self.order) // self.batch)
        self.order = np.resize(self.order, self.steps * self.batch)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        pictures, targets = self._views(chosen, rng) if self.targets.ndim == 3 else self._fresh(chosen, rng)
        images = scale(np.stack(pictures))
        return self.mixing(images, targets, rng) if self.mixing else (images, targets)

    def _fresh(self, chosen: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
        pictures = [self.augment(self.images[i], rng) if self.augment else self.images[i] for i in chosen]
        return pictures, self.targets[chosen]

    def _views(self, chosen: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
        which = rng.integers(len(self.targets), size=len(chosen))
        pictures = [
            view(self.images, int(i), int(v), self.augment, self.seed)
            for i, v in zip(chosen, which, strict=True)
        ]
        return pictures, self.targets[which, chosen].astype(np.float32)

    def on_epoch_end(self) -> None:
        self.start_epoch(self.epoch + 1)
