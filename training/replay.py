"""Replay memory: a few int8 embeddings a breed, enough to refit a head without the photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def choose(embeddings: np.ndarray, labels: np.ndarray, per_label: int, seed: int = 0) -> np.ndarray:
    """Indices of up to ``per_label`` embeddings of every label, drawn at random."""
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:per_label] for label in np.unique(labels)]
    return np.concatenate(chosen)


def save_replay(path: Path, embeddings: np.ndarray, labels: np.ndarray, names: list[str]) -> None:
    """Write embeddings as int8 with one scale a row: value ≈ int8 * scale."""
    scales = np.abs(embeddings).max(1, keepdims=True) / 127
    np.savez_compressed(
        path,
        embeddings=np.round(embeddings / np.maximum(scales, 1e-12)).astype(np.int8),
        scales=scales.astype(np.float32),
        labels=labels.astype(np.int16),
        names=np.array(names),
    )


def load_replay(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """``(embeddings float32 (n, d), labels (n,), names)``; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as archive:
        embeddings = archive["embeddings"].astype(np.float32) * archive["scales"]
        return embeddings, archive["labels"].astype(np.int64), [str(name) for name in archive["names"]]
