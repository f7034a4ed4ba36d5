"""Approximate nearest-neighbour search for large galleries, with an HNSW graph of usearch.

The graph proposes candidates, which are then ranked by their exact vectors. It is a memory-mapped file beside
the index, named after the stamp of the index that it was built from.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.core.files import disk_errors, replace_durably

#: Most photos that are searched exhaustively, and most that are searched with a graph.
EXACT, MOST = 100_000, 1_000_000
#: Vectors added to the graph per call.
_AT_ONCE = 10_000
#: Candidates taken from the graph for each result wanted, and the minimum number of candidates.
_CANDIDATES, _LEAST = 8, 64


@cache
def available() -> bool:
    """True when usearch is installed (the extra ``gallery``)."""
    return find_spec("usearch") is not None


def most_photos() -> int:
    """Return the most photos that a gallery can hold in this installation."""
    return MOST if available() else EXACT


def graph_file(index: Path, stamp: str) -> Path:
    """Return the path of the graph for an index file with this stamp, in the same folder."""
    return index.with_name(f"{index.stem}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.usearch")


def write_graph(path: Path, vectors: np.ndarray) -> None:
    """Build and save the graph, and delete those of earlier indexes.

    Args:
        path: from `graph_file`.
        vectors: float32 ``(n, d)``; the row number becomes the key.

    Raises:
        StorageError: the disk refused.
    """
    from usearch.index import Index

    graph = Index(ndim=vectors.shape[1], metric="cos", dtype="f16")
    for first in range(0, len(vectors), _AT_ONCE):
        some = np.asarray(vectors[first : first + _AT_ONCE], np.float32)
        graph.add(np.arange(first, first + len(some), dtype=np.uint64), some)
    with disk_errors("The graph of the gallery was not saved"):
        tmp = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            graph.save(str(tmp))
            tmp.chmod(0o600)
            replace_durably(tmp, path)
        finally:
            tmp.unlink(missing_ok=True)
    delete_graphs(path.parent, but=path)


def delete_graphs(folder: Path, but: Path | None = None) -> None:
    """Delete the graphs in a folder, except ``but``.

    Raises:
        StorageError: the disk refused.
    """
    with disk_errors("A graph of the gallery was not deleted"):
        for old in folder.glob("*.usearch"):
            if old != but:
                old.unlink(missing_ok=True)


def read_graph(path: Path, count: int, width: int) -> Any:
    """Return the memory-mapped graph; None if it is missing, unreadable or of another size.

    Args:
        count: number of vectors that it must have.
        width: number of dimensions that they must have.
    """
    from usearch.index import Index

    if not path.is_file():
        return None
    try:
        graph = Index.restore(str(path), view=True)
    except (RuntimeError, ValueError, OSError):
        return None
    return graph if graph is not None and (len(graph), graph.ndim) == (count, width) else None


def candidates(graph: Any, vector: np.ndarray, most: int) -> np.ndarray:
    """Return rows that may be among the ``most`` nearest: int64 ``(m,)``, usually more than ``most``."""
    found = graph.search(np.asarray(vector, np.float32), max(_CANDIDATES * most, _LEAST))
    return np.asarray(found.keys, np.int64)
