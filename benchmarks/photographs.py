"""Photographs for benchmarks: the scenes test split, or random pictures if it is absent."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

#: Default folder of the public photographs.
DATA = "../shared/data/pets"


def photographs(data: str, count: int) -> list[bytes]:
    """Return at most ``count`` encoded whole photographs."""
    path = Path(data) / "scenes" / "test-00000-of-00001.parquet"
    if path.exists():
        import pyarrow.parquet as pq

        rows = pq.read_table(path, columns=["image"])["image"].to_pylist()
        return [row["bytes"] for row in rows][:count]
    rng, pictures = np.random.default_rng(0), []
    for _ in range(count):
        small = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(small).resize((500, 375)).save(buffer, "JPEG", quality=90)
        pictures.append(buffer.getvalue())
    return pictures
