"""Whole photographs, with a box around every pet."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.crops import held_back
from training.data.rows import decode, read_rows

#: Shares never trained on, to calibrate on: of the scenes with pets, of those without.
HELD_BACK_PETS, HELD_BACK_NEGATIVES = 0.1, 0.25


@dataclass(frozen=True)
class Scene:
    """A whole photograph: RGB uint8 ``(height, width, 3)``, boxes ``(n, 4)`` as x0, y0, x1, y1 in pixels.

    ``breed`` is the breed id of the pet it shows and ``file`` the name of its file; "" where unknown.
    """

    image: np.ndarray
    boxes: np.ndarray
    species: np.ndarray
    kind: str
    origin: str
    sha256: str
    breed: str = ""
    file: str = ""


def load_scenes(
    root: str, split: str, config: str = "scenes", dropped: list[dict[str, str]] | None = None
) -> list[Scene]:
    """The photographs of the dataset at ``root``.

    Args:
        root: dataset repo or folder.
        split: ``train`` or ``test``.
        config: its configuration with the columns ``image, boxes, species, kind, origin``.
        dropped: told of what cannot be used, which is left out; None: such a picture raises.
    """
    _, rows = read_rows(root, config, split)

    def read(job: tuple[int, dict[str, Any]]) -> Scene | None:
        number, row = job
        try:
            return _scene(row)
        except (OSError, ValueError, SyntaxError) as error:  # Pillow raises all three
            if dropped is None:
                raise
            name = row["image"].get("path") or f"{split}-{number:05d}"
            dropped.append({"origin": str(name), "reason": str(error) or "The picture cannot be read."})
            return None

    with ThreadPoolExecutor(4) as pool:
        return [scene for scene in pool.map(read, enumerate(rows)) if scene is not None]


def _scene(row: dict[str, Any]) -> Scene:
    image, boxes = decode(row), np.asarray(row["boxes"], np.float32).reshape(-1, 4)
    height, width = image.shape[:2]
    if len(boxes) and not (
        (boxes[:, 2:] > boxes[:, :2]).all()
        and (boxes >= 0).all()
        and (boxes <= np.array([width, height] * 2) + 1).all()
    ):
        raise ValueError(f"A box lies outside the picture of {width} x {height}. Received: {boxes.tolist()}")
    return Scene(
        image, boxes, np.asarray(row["species"], np.int64), row["kind"], row["origin"],
        hashlib.sha256(row["image"]["bytes"]).hexdigest(),
        row.get("breed") or "",
        row["image"].get("path") or "",
    )  # fmt: skip


def split_scenes(scenes: list[Scene]) -> tuple[list[Scene], list[Scene]]:
    """(training, held back), by content hash."""
    hashes = [scene.sha256 for scene in scenes]
    pets, negatives = held_back(hashes, HELD_BACK_PETS), held_back(hashes, HELD_BACK_NEGATIVES)
    kept = [
        bool(n if scene.kind == "negative" else p)
        for scene, p, n in zip(scenes, pets, negatives, strict=True)
    ]
    return [s for s, k in zip(scenes, kept, strict=True) if not k], [
        s for s, k in zip(scenes, kept, strict=True) if k
    ]
