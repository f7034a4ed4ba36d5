"""The gate set: embeddings of pictures that no version was ever trained on, stored in the bundle.

``gate.npz`` holds int8 embeddings of the crops held back from training (`training.data.held_back`) and, after
retraining, of held-out accepted samples. In head mode the backbone does not change, so champion and
challenger can be compared on it in a millisecond and without photographs. The stage `export` of a recipe
writes the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.stored_embeddings import GATE, read_embeddings
from training.export.replay import to_int8
from training.models.linear_head import Examples

#: Share of the replay memory that replaces a missing gate set, 0…1.
STAND_IN = 0.2


@dataclass(frozen=True)
class GateSet:
    """Embeddings on which champion and challenger are compared.

    Attributes:
        embeddings: float32 ``(n, d)``.
        labels: indices into ``names``, int64 ``(n,)``.
        names: breed ids; a later model may have more.
        origins: key of the accepted sample of each row, or ``""`` for the base dataset, ``(n,)``.
        out_of_distribution: embeddings of pictures that show no breed, float32 ``(m, d)``; may be empty.
        trained: True if the champion was trained on these embeddings, as for a stand-in.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    names: list[str]
    origins: np.ndarray
    out_of_distribution: np.ndarray
    trained: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def base(self) -> np.ndarray:
        """Mask of the rows from the base dataset, which never change."""
        return np.asarray(self.origins == "")


def build_gate(
    path: Path,
    embeddings: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    *,
    out_of_distribution: np.ndarray | None = None,
    origins: np.ndarray | None = None,
) -> None:
    """Write ``gate.npz``.

    Args:
        path: the file to write.
        embeddings: embeddings of crops that nothing was trained on, ``(n, d)``.
        labels: indices into ``names``, ``(n,)``.
        names: breed ids.
        out_of_distribution: embeddings of pictures that show no breed, ``(m, d)``; None for none.
        origins: see `GateSet`; None if all rows are from the base dataset.
    """
    away = (
        np.zeros((0, embeddings.shape[1]), np.float32) if out_of_distribution is None else out_of_distribution
    )
    values, scales = to_int8(embeddings)
    others, other_scales = to_int8(away)
    np.savez_compressed(
        path,
        embeddings=values,
        scales=scales,
        labels=labels.astype(np.int16),
        names=np.array(names),
        origins=(np.full(len(labels), "") if origins is None else origins).astype("<U16"),
        strangers=others,
        stranger_scales=other_scales,
    )


def load_gate(bundle: Bundle) -> GateSet | None:
    """Load the gate set of a bundle; None if it has none.

    Raises:
        BundleError: the bundle's ``gate.npz`` is damaged.
    """
    if GATE not in bundle.config.files:
        return None
    stored = read_embeddings(bundle.path(GATE))
    if stored.out_of_distribution is None:
        raise BundleError(f"The model bundle is damaged: {GATE} does not say which pictures show no breed.")
    return GateSet(
        stored.embeddings,
        stored.labels,
        stored.names,
        stored.origins,
        stored.out_of_distribution,
    )


def stand_in(memory: Examples, names: list[str]) -> tuple[GateSet, Examples]:
    """Split the replay memory: a fifth of each label as the gate set, and the rest to train on."""
    place = np.zeros(len(memory), np.int64)
    for label in np.unique(memory.labels):
        mine = np.flatnonzero(memory.labels == label)
        place[mine] = np.arange(len(mine))
    held_back = place % round(1 / STAND_IN) == 0
    gate = GateSet(
        memory.embeddings[held_back],
        memory.labels[held_back],
        names,
        np.full(int(held_back.sum()), ""),
        np.zeros((0, memory.embeddings.shape[1]), np.float32),
        trained=True,
    )
    return gate, memory.take(np.flatnonzero(~held_back))
