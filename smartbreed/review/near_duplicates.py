"""Near-duplicates: pictures of the same pet at the same moment, so that one decision can apply to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

#: Two crops are near-duplicates if the cosine similarity of their embeddings is at least ``ALIKE``, or
#: their hashes differ in at most ``BITS`` of 64 bits, or they meet both weaker limits of ``BOTH``.
#: Measured on 260 public photographs: the same pet recompressed differs in at most 4 bits, cropped
#: differently it stays above .93, and different photos stay below .87 and above 8 bits.
ALIKE = 0.92
BITS = 5
BOTH = (0.87, 9)
#: Flags compared at a time.
_BLOCK = 512


@dataclass(frozen=True)
class Picture:
    """The features of a picture by which near-duplicates are found.

    Attributes:
        flag_id: the flag of the picture.
        model: revision that made the embedding; embeddings of different revisions cannot be compared.
        embedding: ``(d,)`` of unit length, or None.
        phash: 16 hex digits, or None.
    """

    flag_id: str
    model: str
    embedding: np.ndarray | None = field(repr=False, default=None)
    phash: str | None = None


def near_duplicates(pictures: Sequence[Picture]) -> dict[str, tuple[str, ...]]:
    """Return each flag's group of near-duplicates, itself included, in the order given.

    A group is a first picture and those similar to it, not a chain of similar pictures, whose ends
    could show different pets.
    """
    group_of: dict[str, list[str]] = {}
    by_model: dict[tuple[str, int], list[Picture]] = {}
    for picture in pictures:
        if picture.embedding is None or picture.phash is None:
            group_of[picture.flag_id] = [picture.flag_id]
        else:
            by_model.setdefault((picture.model, len(picture.embedding)), []).append(picture)
    for some in by_model.values():
        for leader, members in _groups(some).items():
            group = [some[leader].flag_id, *(some[member].flag_id for member in members)]
            group_of |= dict.fromkeys(group, group)
    return {flag_id: tuple(group) for flag_id, group in group_of.items()}


def _groups(pictures: Sequence[Picture]) -> dict[int, list[int]]:
    """Return the index of each group's first picture → indices of those similar to it."""
    vectors = np.stack([picture.embedding for picture in pictures]).astype(np.float32)  # type: ignore[misc]
    hashes = np.array([int(picture.phash or "0", 16) for picture in pictures], np.uint64)
    taken = np.zeros(len(pictures), bool)
    groups: dict[int, list[int]] = {}
    for start in range(0, len(pictures), _BLOCK):
        similar = vectors[start : start + _BLOCK] @ vectors.T
        for row, place in enumerate(range(start, min(start + _BLOCK, len(pictures)))):
            if taken[place]:
                continue
            bits = np.bitwise_count(hashes ^ hashes[place])
            alike = (similar[row] >= ALIKE) | (bits <= BITS)
            alike |= (similar[row] >= BOTH[0]) & (bits <= BOTH[1])
            alike &= ~taken
            alike[: place + 1] = False
            taken[place] = True
            taken |= alike
            groups[place] = [int(member) for member in np.flatnonzero(alike)]
    return groups
