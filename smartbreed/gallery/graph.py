"""Which embeddings are nearest among very many: a graph (HNSW) of usearch, beside the file of exact vectors.

The graph says who may be near; the exact vectors say how near. It lies in one file that is mapped into
memory, named after the stamp of the index it was made of.
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

#: Most photographs that are searched exactly, and most that are searched at all.
EXACT, MOST = 100_000, 1_000_000
#: Vectors added at once.
_AT_ONCE = 10_000
#: Neighbours of the graph that are compared exactly, for each one wanted; at least so many.
_CANDIDATES, _LEAST = 8, 64


@cache
def available() -> bool:
    """Whether usearch is installed (the extra ``gallery``)."""
    return find_spec("usearch") is not None


def most_photos() -> int:
    """Most photographs that a gallery holds here."""
    return MOST if available() else EXACT


def graph_file(index: Path, stamp: str) -> Path:
    """Where the graph of an index with this stamp lies, beside ``index``."""
    return index.with_name(f"{index.stem}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.usearch")


def write_graph(path: Path, vectors: np.ndarray) -> None:
    """Make the graph, and delete those of earlier indexes.

    Args:
        path: as `graph_file` says.
        vectors: float32 ``(n, d)``; the number of a row is its key.

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
        for old in path.parent.glob("*.usearch"):
            if old != path:
                old.unlink(missing_ok=True)


def read_graph(path: Path, count: int, width: int) -> Any:
    """The graph, mapped into memory; None: there is none, or it is not of so many vectors of this width."""
    from usearch.index import Index

    if not path.is_file():
        return None
    try:
        graph = Index.restore(str(path), view=True)
    except (RuntimeError, ValueError, OSError):
        return None
    return graph if graph is not None and (len(graph), graph.ndim) == (count, width) else None


def candidates(graph: Any, vector: np.ndarray, most: int) -> np.ndarray:
    """Rows that may be among the ``most`` nearest: int64 ``(m,)``, more than ``most`` if there are more."""
    found = graph.search(np.asarray(vector, np.float32), max(_CANDIDATES * most, _LEAST))
    return np.asarray(found.keys, np.int64)
