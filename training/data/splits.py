"""Who is trained on and who is held back: by content hash, near-duplicates together, no class forgotten."""

from __future__ import annotations

import numpy as np

from training.common.errors import DataError
from training.data.crops import Crops
from training.recipe.recipe import Split

TRAIN, VALIDATION, TEST = "train", "validation", "test"
#: Pictures of a class from which on chance deals them out evenly enough.
FEW = 50


def split_crops(crops: Crops, own: list[str], groups: np.ndarray, split: Split) -> np.ndarray:
    """``train``, ``validation`` or ``test`` for every crop, or ``""`` for one that must not be used.

    A source's own test and validation splits are kept; a training picture that nearly equals one of
    them is left out. The rest is split by the hash of each group's first picture, so that a picture
    stays where it is when others come. A class that the hashes leave without a held-back picture
    gives the group with the smallest hash, and one of fewer than `FEW` pictures gives its share (2, 1 and 7
    of 30 each would say little of the first two), unless ``split.every_class`` is off.

    Args:
        crops: every crop.
        own: the source's split of each, or ``""``.
        groups: from `training.data.duplicates.groups_of`.
        split: the shares.
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
    # The other end of the line, so that changing one share moves nothing of the other.
    places[rest & (keys >= 1 - test) & (places == "")] = TEST
    places[rest & (places == "")] = TRAIN
    for wanted, share, order in ((VALIDATION, validation, keys), (TEST, test, -keys)):
        if share and split.every_class:
            _balance(places, wanted, share, crops.labels, groups, order)
    return places


def _balance(
    places: np.ndarray, wanted: str, share: float, labels: np.ndarray, groups: np.ndarray, order: np.ndarray
) -> None:
    """Each class gives at least one picture; one with few pictures gives its share."""
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
            if (mine & (places == TRAIN) & ~moved).any():  # something is left to train on
                places[moved] = wanted


def _fraction(value: str) -> float:
    return int(value[:8], 16) / 0xFFFFFFFF


def require_enough(labels: np.ndarray, names: list[str], least: int) -> None:
    """Every class has at least ``least`` pictures.

    Raises:
        DataError: one has not; the message names it (and how many more).
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
