"""The replay memory of the next version: embeddings of the base dataset and of accepted samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smartbreed.inference.stored_embeddings import read_embeddings
from training.continual.fit_head import LabelledViews
from training.export.replay import save_replay
from training.models.linear_head import Examples

#: Embeddings per breed, and how many of them may be accepted samples if the base dataset has the breed.
PER_LABEL, LEARNT_PER_LABEL = 40, 10


@dataclass(frozen=True)
class Memory:
    """``replay.npz`` with a model's label numbers: embeddings ``(n, d)``, labels and origins ``(n,)``."""

    embeddings: np.ndarray
    labels: np.ndarray
    origins: np.ndarray

    @property
    def base(self) -> Examples:
        """The embeddings of the base dataset; accepted samples are read from the dataset repo each time."""
        mine = self.origins == ""
        return Examples.of(self.embeddings[mine], self.labels[mine])


def load_memory(path: Path, names: list[str]) -> Memory:
    """Read the ``replay.npz`` of a model with the labels ``names``; rows of other labels are left out.

    Raises:
        BundleError: the file is damaged.
    """
    stored = read_embeddings(path)
    place = np.array([names.index(name) if name in names else -1 for name in stored.names])[stored.labels]
    kept = place >= 0
    return Memory(stored.embeddings[kept], place[kept], stored.origins[kept])


def refresh(
    path: Path,
    memory: Memory,
    accepted: LabelledViews,
    keys: list[str],
    names: list[str],
    per_label: int = PER_LABEL,
) -> None:
    """Write the replay memory of the next version.

    A breed of the base dataset keeps its most representative embeddings (`herd`) and gives up to
    `LEARNT_PER_LABEL` of its places to accepted samples. A breed without base pictures fills its places
    with the views of its accepted samples.

    Args:
        path: the ``replay.npz`` to write.
        memory: the parent's replay memory.
        accepted: the samples trained on, with labels of the next version.
        keys: keys of those samples.
        names: labels of the next version.
        per_label: embeddings per breed.
    """
    embeddings, labels, origins = [], [], []
    base = memory.base
    for label in range(len(names)):
        own = base.embeddings[base.labels == label]
        mine = np.flatnonzero(accepted.labels == label)
        if len(own):
            mine = mine[:LEARNT_PER_LABEL]
            own = own[herd(own, max(per_label - len(mine), 0))]
            fresh, marks = accepted.views[mine, 0], [keys[i] for i in mine]
        else:
            count = accepted.views.shape[1] if len(accepted) else 0
            # All unchanged pictures first, then all mirrored ones and so on, until the places are full.
            fresh = (
                accepted.views[mine].transpose(1, 0, 2).reshape(len(mine) * count, base.embeddings.shape[1])
            )
            fresh = fresh[:per_label]
            marks = ([keys[i] for i in mine] * count)[:per_label]
            fresh = fresh if len(fresh) else own
        embeddings += [own, fresh]
        labels += [label] * (len(own) + len(marks))
        origins += [""] * len(own) + marks
    save_replay(path, np.concatenate(embeddings), np.array(labels), names, np.array(origins))


def herd(embeddings: np.ndarray, count: int) -> np.ndarray:
    """Return indices of ``count`` embeddings whose mean stays closest to that of all, best first.

    Herding, Rebuffi et al. 2017, https://arxiv.org/abs/1611.07725.
    """
    if count >= len(embeddings):
        return np.arange(len(embeddings))
    mean, total = embeddings.mean(0), np.zeros(embeddings.shape[1])
    chosen: list[int] = []
    for taken in range(1, count + 1):
        away = np.linalg.norm(mean - (total + embeddings) / taken, axis=1)
        away[chosen] = np.inf
        chosen.append(int(away.argmin()))
        total += embeddings[chosen[-1]]
    return np.array(chosen, np.int64)
