"""Replay memory: a few int8 embeddings a breed, enough to refit a head without the photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

#: How the source of a picture begins that is an accepted sample; its key follows.
ACCEPTED = "accepted:"


def choose(embeddings: np.ndarray, labels: np.ndarray, per_label: int, seed: int = 0) -> np.ndarray:
    """Indices of up to ``per_label`` embeddings of every label, drawn at random."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:per_label] for label in np.unique(labels)]
    return np.concatenate(chosen)


def origins_of(sources: list[str]) -> np.ndarray:
    """Key of the accepted sample that each source names, or ``""``; ``(n,)``.

    With it a later version can leave out what was erased since.
    """
    keys = [source.removeprefix(ACCEPTED) if source.startswith(ACCEPTED) else "" for source in sources]
    return np.array(keys, "<U16")


def to_int8(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 ``(n, d)`` and float32 scales ``(n, 1)``: value ≈ int8 * scale."""
    scales = np.abs(embeddings).max(1, keepdims=True, initial=0.0) / 127
    values = np.round(embeddings / np.maximum(scales, 1e-12)).astype(np.int8)
    return values, scales.astype(np.float32)


def save_replay(
    path: Path,
    embeddings: np.ndarray,
    labels: np.ndarray,
    names: list[str],
    origins: np.ndarray | None = None,
) -> None:
    """Write embeddings as int8 with one scale a row: value ≈ int8 * scale.

    Args:
        path: the ``.npz`` to write.
        embeddings: ``(n, d)``.
        labels: index into ``names``, ``(n,)``.
        names: breed ids.
        origins: key of the accepted sample each row is of, or ``""`` for the base dataset.
    """
    values, scales = to_int8(embeddings)
    arrays = {
        "embeddings": values,
        "scales": scales,
        "labels": labels.astype(np.int16),
        "names": np.array(names),
    }
    if origins is not None and (origins != "").any():
        arrays["origins"] = origins.astype("<U16")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
