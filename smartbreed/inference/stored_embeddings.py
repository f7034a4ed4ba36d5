"""Embeddings stored in a bundle: ``replay.npz`` to refit a head, ``gate.npz`` to compare two heads.

Each row is int8 with its own scale: value ≈ int8 * scale. `training.export` writes both files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError

import numpy as np

from smartbreed.core.archives import BROKEN_ZIP
from smartbreed.core.errors import BundleError

REPLAY, GATE = "replay.npz", "gate.npz"


@dataclass(frozen=True, eq=False)
class StoredEmbeddings:
    """The content of one of these files.

    Attributes:
        values: int8 ``(n, d)``.
        scales: float32 ``(n, 1)``.
        labels: index into ``names``, int64 ``(n,)``.
        names: label ids.
        origins: key of the accepted sample behind each row, or ``""`` for the base dataset, ``(n,)``.
        out_of_distribution: float32 ``(m, d)``, of pictures that show no breed; None if the file has none.
    """

    values: np.ndarray = field(repr=False)
    scales: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    names: list[str]
    origins: np.ndarray = field(repr=False)
    out_of_distribution: np.ndarray | None = field(repr=False)

    @property
    def embeddings(self) -> np.ndarray:
        """Dequantised embeddings, float32 ``(n, d)``; computed on each access."""
        return _floats(self.values, self.scales)


def read_embeddings(path: Path) -> StoredEmbeddings:
    """Read ``replay.npz`` or ``gate.npz``; nothing is unpickled.

    Raises:
        BundleError: the file is damaged, or its arrays do not fit together; the message names the file.

    Example:
        >>> from smartbreed.core.settings import EMBEDDED_BUNDLE
        >>> stored = read_embeddings(EMBEDDED_BUNDLE / REPLAY)
        >>> len(stored.labels) == len(stored.embeddings)
        True
    """
    arrays = _arrays(path)
    try:
        values, scales, labels, names = (arrays[name] for name in ("embeddings", "scales", "labels", "names"))
    except KeyError as error:
        raise BundleError(f"The model bundle is damaged: {path.name} has no array {error}.") from None
    origins = arrays.get("origins", np.full(labels.shape, "", "<U16"))
    away = arrays.get("strangers", values[:0]), arrays.get("stranger_scales", scales[:0])
    belong = (
        _are_rows(values, scales)
        and _are_rows(*away)
        and away[0].shape[1] == values.shape[1]
        and (labels.shape, labels.dtype.kind) == ((len(values),), "i")
        and (names.ndim, names.dtype.kind) == (1, "U")
        and (origins.shape, origins.dtype.kind) == ((len(values),), "U")
        and ((labels >= 0) & (labels < len(names))).all()
    )
    if not belong:
        raise BundleError(f"The model bundle is damaged: the arrays of {path.name} do not belong together.")
    return StoredEmbeddings(
        values,
        scales,
        labels.astype(np.int64),
        [str(name) for name in names],
        origins,
        _floats(*away) if "strangers" in arrays else None,
    )


def _are_rows(values: np.ndarray, scales: np.ndarray) -> bool:
    """Return whether ``values`` are numbers ``(n, d)`` and ``scales`` holds a float for each row."""
    return (values.ndim, values.dtype.kind) in ((2, "i"), (2, "f")) and (
        (scales.shape, scales.dtype.kind) == ((len(values), 1), "f")
    )


def _floats(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return np.asarray(values.astype(np.float32) * scales.astype(np.float32))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}
    # NumPy reads headers with Python's tokenizer and parser, hence SyntaxError and TokenError.
    # TypeError: the file is a single array, not an archive. MemoryError: the header claims an absurd shape.
    except (*BROKEN_ZIP, KeyError, AttributeError, TypeError, SyntaxError, TokenError, MemoryError):
        raise BundleError(f"The model bundle is damaged: {path.name} cannot be read.") from None
