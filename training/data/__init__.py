"""Training pictures: read from anywhere, checked, split and described."""

from training.data.crops import HELD_BACK, Crops, held_back, load_crops
from training.data.scenes import (
    HELD_BACK_NEGATIVES,
    HELD_BACK_PETS,
    Scene,
    load_scenes,
    split_scenes,
)

__all__ = [
    "HELD_BACK",
    "HELD_BACK_NEGATIVES",
    "HELD_BACK_PETS",
    "Crops",
    "Scene",
    "held_back",
    "load_crops",
    "load_scenes",
    "split_scenes",
]
