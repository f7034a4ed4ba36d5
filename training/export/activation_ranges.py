"""Pictures that the ranges of int8 activations are taken from: training pictures, never test ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from training.common.run_directory import RunDirectory
from training.data import load_scenes, split_scenes
from training.data.prepared import load_prepared
from training.data.splits import TRAIN
from training.export.litert import CALIBRATION_PICTURES
from training.models.ssd_mobilenet_v1 import SIZE
from training.recipe.recipe import Recipe


def range_pictures(recipe: Recipe, run: RunDirectory) -> np.ndarray | None:
    """uint8 ``(n, size, size, 3)`` for a recipe whose network is served as int8; None for any other.

    Args:
        run: where the stage `prepare` wrote.
    """
    if recipe.export.form != "int8":
        return None
    if recipe.task == "detect":
        return photographs(recipe.data.source, recipe.data.scenes)
    prepared = load_prepared(run)
    return prepared.crops.images[spread(np.flatnonzero(prepared.places == TRAIN))]


def photographs(source: str, scenes: str) -> np.ndarray:
    """Whole training photographs, squashed as the detector sees them."""
    train = split_scenes(load_scenes(source, "train", scenes, dropped=[]))[0]
    return squashed([train[i].image for i in spread(np.arange(len(train)))], SIZE)


def spread(items: np.ndarray, count: int = CALIBRATION_PICTURES) -> np.ndarray:
    """At most ``count`` of some items, evenly spread."""
    return np.asarray(items[np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)])


def squashed(pictures: Sequence[np.ndarray] | np.ndarray, side: int) -> np.ndarray:
    """uint8 ``(n, side, side, 3)``."""
    if isinstance(pictures, np.ndarray) and pictures.shape[1:3] == (side, side):
        return pictures
    return np.stack(
        [np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BILINEAR)) for p in pictures]
    )
