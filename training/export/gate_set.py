"""The gate set: embeddings of pictures that no version was ever trained on, kept in the bundle.

``gate.npz`` holds int8 embeddings of the crops held back from training (`training.data.held_back`),
and, as they are learnt, of accepted samples that were held out. In head mode the backbone stays, so
champion and challenger can both be compared on it in a millisecond without a photograph.
The stage `export` of a recipe writes it.
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

#: Share of the replay memory that stands in where a bundle has no gate set.
STAND_IN = 0.2


@dataclass(frozen=True)
class GateSet:
    """Pictures to compare on.

    Attributes:
        embeddings: float32 ``(n, d)``.
        labels: index into ``names``, int64 ``(n,)``.
        names: breed ids; a later model has more.
        origins: key of the accepted sample, or ``""`` for the base dataset, ``(n,)``.
        out_of_distribution: float32 ``(m, d)``, of pictures that show no breed; may be none.
        trained: the champion was trained on these after all: a stand-in.
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
        """Mask of the frozen part."""
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
        path: the file.
        embeddings: of crops that nothing was trained on, ``(n, d)``.
        labels: index into ``names``, ``(n,)``.
        names: breed ids.
        out_of_distribution: embeddings of pictures that show no breed, ``(m, d)``.
        origins: see `GateSet`.
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
    """A bundle's gate set; None where it has none.

    Raises:
        BundleError: its ``gate.npz`` is damaged.
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
    """A fifth of the replay memory as the gate set, and the rest to learn from."""
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
