"""Training batches of a detector: composed scenes, and what each anchor should answer."""

from __future__ import annotations

import keras
import numpy as np

from smartbreed.inference.boxes import ssd_anchors
from training.augment.scenes import SceneComposer
from training.fitting.ssd_loss import match
from training.models.embeddings import scale


class SceneBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Composed scenes with matched targets; the same seed gives the same batches."""

    def __init__(self, composer: SceneComposer, steps: int, batch: int, seed: int) -> None:
        super().__init__(workers=1, max_queue_size=8)
        self.composer, self.steps, self.batch, self.seed, self.epoch = composer, steps, batch, seed, 0
        self.anchors = ssd_anchors()
        half = self.anchors[:, 2:] / 2
        low, high = self.anchors[:, :2] - half, self.anchors[:, :2] + half
        self.corners = np.stack([low[:, 1], low[:, 0], high[:, 1], high[:, 0]], axis=1)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        samples = [self.composer.draw(rng) for _ in range(self.batch)]
        targets = [match(s.boxes, s.species, self.anchors, self.corners, 2) for s in samples]
        return scale(np.stack([s.pixels for s in samples])), np.stack(targets)

    def start_epoch(self, epoch: int) -> None:
        """Draw the scenes of ``epoch``, counting from 0; a resumed run starts in the middle."""
        self.epoch = epoch

    def on_epoch_end(self) -> None:
        self.epoch += 1
