"""Replay memory: a few int8 embeddings per breed, enough to refit a head without the photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

#: Prefix in the source of a picture that is an accepted sample; the sample's key follows.
ACCEPTED = "accepted:"


def choose(embeddings: np.ndarray, labels: np.ndarray, per_label: int, seed: int = 0) -> np.ndarray:
    """Return the indices of up to ``per_label`` random embeddings of every label."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:per_label] for label in np.unique(labels)]
    return np.concatenate(chosen)


def origins_of(sources: list[str]) -> np.ndarray:
    """Return the key of the accepted sample that each source names, or ``""``; ``(n,)``.

    With these keys a later version can leave out samples that have been erased since.
    """
    keys = [source.removeprefix(ACCEPTED) if source.startswith(ACCEPTED) else "" for source in sources]
    return np.array(keys, "<U16")


def to_int8(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantise rows to int8 ``(n, d)`` with float32 scales ``(n, 1)``: value ≈ int8 * scale."""
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
    """Write embeddings as int8 with one scale per row: value ≈ int8 * scale.

    Args:
        path: the ``.npz`` file to write.
        embeddings: ``(n, d)``.
        labels: indices into ``names``, ``(n,)``.
        names: breed ids.
        origins: key of the accepted sample of each row, or ``""`` for the base dataset; None if all rows are
            from the base dataset.
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
