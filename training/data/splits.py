"""Split crops into training, validation and test by content hash.

Near-duplicates stay together, and every class gets held-back pictures.
"""

from __future__ import annotations

import numpy as np

from training.common.errors import DataError
from training.data.crops import Crops
from training.recipe.recipe import Split

TRAIN, VALIDATION, TEST = "train", "validation", "test"
#: Classes with fewer pictures are balanced to the requested shares; hashing alone is too uneven for them.
FEW = 50


def split_crops(crops: Crops, own: list[str], groups: np.ndarray, split: Split) -> np.ndarray:
    """Assign every crop to ``train``, ``validation`` or ``test``, or to ``""`` if it must not be used.

    The source's own test and validation splits are kept, and near-duplicates of their pictures are left out
    of training. The rest is split by the hash of each group's first picture, so that a picture keeps its
    place when others are added.

    Unless ``split.every_class`` is off, a class without a held-back picture gives up the group with the
    smallest hash (for the test split: the largest), and a class of fewer than `FEW` pictures is balanced to
    the requested shares, because hashing could leave it with only one or two held-back pictures.

    Args:
        crops: all crops.
        own: the source's split of each crop, or ``""``.
        groups: group numbers from `training.data.duplicates.groups_of`.
        split: shares, folds and options from the recipe.
    """
    places = np.array([name if name in (VALIDATION, TEST) else "" for name in own], dtype="<U10")
    free = places == ""
    taken = np.isin(groups, groups[~free])
    rest = free & ~taken
    representative = {int(g): crops.hashes[i] for i, g in reversed(list(enumerate(groups)))}
    keys = np.array([_fraction(representative[int(g)]) for g in groups])
    if split.folds:
        held = (keys * split.folds).astype(int).clip(0, split.folds - 1) == split.fold
        places[rest] = np.where(held[rest], VALIDATION, TRAIN)
        return places
    has_test, has_validation = (bool((places == name).any()) for name in (TEST, VALIDATION))
    validation = 0.0 if has_validation else split.validation
    test = 0.0 if has_test else split.test
    places[rest & (keys < validation)] = VALIDATION
    # Test takes the other end of the hash range, so that changing one share leaves the other split alone.
    places[rest & (keys >= 1 - test) & (places == "")] = TEST
    places[rest & (places == "")] = TRAIN
    for wanted, share, order in ((VALIDATION, validation, keys), (TEST, test, -keys)):
        if share and split.every_class:
            _balance(places, wanted, share, crops.labels, groups, order)
    return places


def _balance(
    places: np.ndarray, wanted: str, share: float, labels: np.ndarray, groups: np.ndarray, order: np.ndarray
) -> None:
    """Move groups so that each class has at least one picture in ``wanted``, and a small class its share."""
    for label in np.unique(labels):
        mine = labels == label
        few = mine.sum() < FEW
        least = max(1, round(share * int(mine.sum()))) if few else 1
        held = np.flatnonzero(mine & (places == wanted))
        for last in held[np.argsort(-order[held], kind="stable")] if few else ():
            moved = (groups == groups[last]) & (places == wanted)
            if mine[moved].all() and (mine & (places == wanted) & ~moved).sum() >= least:
                places[moved] = TRAIN
        candidates = np.flatnonzero(mine & (places == TRAIN))
        for first in candidates[np.argsort(order[candidates], kind="stable")]:
            if (mine & (places == wanted)).sum() >= least:
                break
            moved = (groups == groups[first]) & (places == TRAIN)
            if (mine & (places == TRAIN) & ~moved).any():  # keep at least one picture to train on
                places[moved] = wanted


def _fraction(value: str) -> float:
    return int(value[:8], 16) / 0xFFFFFFFF


def require_enough(labels: np.ndarray, names: list[str], least: int) -> None:
    """Check that every class has at least ``least`` pictures.

    Raises:
        DataError: a class has fewer; the message names it and counts further ones.
    """
    counts = np.bincount(labels, minlength=len(names))
    few = [(int(counts[i]), names[i]) for i in np.flatnonzero(counts < least)]
    if few:
        count, name = min(few)
        others = f" ({len(few) - 1} more classes too)" if len(few) > 1 else ""
        raise DataError(
            f"The class {name} has too few pictures{others}; add some, leave the class out or lower "
            "data.least "
            f"(now {least}). Received: {count} usable pictures of {name}"
        )
