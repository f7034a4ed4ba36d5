"""Choose the pictures that calibrate the ranges of int8 activations: training pictures, never test ones."""

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
    """Return calibration pictures, uint8 ``(n, size, size, 3)``; None if the network is not served as int8.

    Args:
        recipe: the recipe.
        run: run directory with the output of the stage `prepare`.
    """
    if recipe.export.form != "int8":
        return None
    if recipe.task == "detect":
        return photographs(recipe.data.source, recipe.data.scenes)
    prepared = load_prepared(run)
    return prepared.crops.images[spread(np.flatnonzero(prepared.places == TRAIN))]


def photographs(source: str, scenes: str) -> np.ndarray:
    """Load whole training photographs, squashed to the input of the detector."""
    train = split_scenes(load_scenes(source, "train", scenes, dropped=[]))[0]
    return squashed([train[i].image for i in spread(np.arange(len(train)))], SIZE)


def spread(items: np.ndarray, count: int = CALIBRATION_PICTURES) -> np.ndarray:
    """Return at most ``count`` of the items, evenly spaced."""
    return np.asarray(items[np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)])


def squashed(pictures: Sequence[np.ndarray] | np.ndarray, side: int) -> np.ndarray:
    """Resize pictures to uint8 ``(n, side, side, 3)``, ignoring their aspect ratio."""
    if isinstance(pictures, np.ndarray) and pictures.shape[1:3] == (side, side):
        return pictures
    return np.stack(
        [np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BILINEAR)) for p in pictures]
    )
