"""Rows of a dataset that `datasets` understands, pictures still encoded."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image


def read_rows(root: str, config: str, split: str, image: str = "image") -> tuple[Any, list[dict[str, Any]]]:
    """(features, rows) of a split; the column ``image`` is ``{"bytes": …, "path": …}``."""
    from datasets import Image as ImageFeature
    from datasets import load_dataset

    dataset = load_dataset(root, config or None, split=split)
    features = dataset.features
    return features, list(dataset.cast_column(image, ImageFeature(decode=False)))


def decode(row: dict[str, Any]) -> np.ndarray:
    """The picture of a row, uint8 RGB ``(height, width, 3)``."""
    with Image.open(io.BytesIO(row["image"]["bytes"])) as picture:
        return np.asarray(picture.convert("RGB"))
