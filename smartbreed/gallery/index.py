"""Nearest-neighbour search in a memory-mapped file of embeddings, exhaustive or over a graph's candidates."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.core.files import PRIVATE_FILE, disk_errors, make_dirs, replace_durably
from smartbreed.gallery.graph import candidates

_FORMAT = np.lib.format


class Index:
    """The embeddings of one model, ready to be searched.

    Attributes:
        stamp: identifies the database rows that the file was made from.
        names: ``(n,)``, the name of each vector.
        vectors: float32 ``(n, d)`` of unit length, mapped from the file.
        graph: graph of these vectors from `smartbreed.gallery.graph`; None to compare every vector.
    """

    def __init__(self, stamp: str, names: np.ndarray, vectors: np.ndarray, graph: Any = None) -> None:
        self.stamp, self.names, self.vectors, self.graph = stamp, names, vectors, graph

    def nearest(self, vector: np.ndarray, most: int) -> list[tuple[str, float]]:
        """Return names and cosine similarities of the ``most`` nearest vectors, nearest first."""
        if self.vectors.ndim != 2 or not len(self.names) or self.vectors.shape[1] != len(vector):
            return []
        unit = np.asarray(vector, np.float32) / max(float(np.linalg.norm(vector)), 1e-9)
        if self.graph is None:
            rows, similar = np.arange(len(self.names)), self.vectors @ unit
        else:
            rows = np.sort(candidates(self.graph, unit, most))
            similar = self.vectors[rows] @ unit
        most = min(most, len(similar))
        best = np.argpartition(-similar, most - 1)[:most]
        best = best[np.argsort(-similar[best], kind="stable")]
        return [(str(self.names[n]), float(near)) for n, near in zip(rows[best], similar[best], strict=True)]


def write_index(path: Path, stamp: str, rows: Iterable[tuple[str, bytes]], count: int, width: int) -> None:
    """Replace the index file atomically.

    Args:
        rows: name and float16 embedding of each photo; those beyond ``count`` are left out.
        count: number of vectors in the file; missing rows become zeros with an empty name.
        width: dimensions of an embedding.

    Raises:
        StorageError: the disk refused.
    """
    names = np.zeros(count, "U27")
    with disk_errors("The index of the gallery was not saved"):
        make_dirs(path.parent)
        tmp = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            # The vectors come first: they are written as they are read, and the names are known only then.
            with open(tmp, "wb", opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE)) as file:
                _FORMAT.write_array_header_1_0(
                    file, {"descr": "<f4", "fortran_order": False, "shape": (count, width)}
                )
                written = 0
                for name, embedding in rows:
                    names[written] = name
                    file.write(np.frombuffer(embedding, np.float16).astype("<f4").tobytes())
                    written += 1
                    if written == count:
                        break
                file.write(bytes(4 * width * (count - written)))  # some rows were deleted meanwhile
                np.save(file, names, allow_pickle=False)
                np.save(file, np.array(stamp), allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            tmp.unlink(missing_ok=True)
            raise
        replace_durably(tmp, path)


def read_index(path: Path) -> Index | None:
    """Return the memory-mapped index; None if the file is missing or damaged."""
    try:
        with path.open("rb") as file:
            _FORMAT.read_magic(file)
            shape, _, dtype = _FORMAT.read_array_header_1_0(file)
            start = file.tell()
            file.seek(start + dtype.itemsize * shape[0] * shape[1])
            names = np.load(file, allow_pickle=False)
            stamp = str(np.load(file, allow_pickle=False))
        vectors = np.memmap(path, dtype, "r", start, shape) if shape[0] else np.zeros(shape, dtype)
        return Index(stamp, names, vectors)
    except (OSError, ValueError, EOFError, IndexError):
        return None
