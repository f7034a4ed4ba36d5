"""Training pictures: load them from any source, check, split and describe them."""

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
