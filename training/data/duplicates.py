"""Find near-duplicates: compare 64-bit difference hashes, then confirm on 16x16 copies.

Each bit of the hash says whether one of 8x8 cells is darker than its right neighbour. Scaling, JPEG
compression and changes of brightness hardly alter it
(N. Krawetz, http://www.hackerfactor.com/blog/?/archives/529-Kind-of-Like-That.html).
"""

from __future__ import annotations

import numpy as np
from PIL import Image

#: Largest mean difference of two 16x16 copies, 0…255, at which pictures with close hashes are duplicates.
SMALL_DIFFERENCE = 14.0
_BLOCK = 1024


def difference_hashes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return uint64 hashes ``(count,)`` and uint8 16x16 copies ``(count, 768)`` of uint8 pictures."""
    hashes = np.empty(len(images), np.uint64)
    copies = np.empty((len(images), 16 * 16 * 3), np.uint8)
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for number, image in enumerate(images):
        picture = Image.fromarray(image)
        grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
        hashes[number] = ((grey[:, 1:] > grey[:, :-1]).reshape(-1) * weights).sum(dtype=np.uint64)
        copies[number] = np.asarray(picture.resize((16, 16), Image.Resampling.BOX)).reshape(-1)
    return hashes, copies


def near_duplicates(images: np.ndarray, bits: int) -> list[tuple[int, int]]:
    """Return the pairs ``(i, j)``, i < j, of near-duplicate pictures.

    Args:
        images: uint8 ``(count, size, size, 3)``.
        bits: most bits in which two hashes may differ, 0…64; negative turns the search off.
    """
    if bits < 0:
        return []
    hashes, copies = difference_hashes(images)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        distance = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        rows, columns = np.nonzero(distance <= bits)
        later = columns > rows
        first, second = rows[later] + start, columns[later] + start
        gap = np.abs(copies[first].astype(np.int16) - copies[second]).mean(1)
        same = gap <= SMALL_DIFFERENCE
        pairs += list(zip(first[same].tolist(), second[same].tolist(), strict=True))
    return pairs


def groups_of(count: int, pairs: list[tuple[int, int]], hashes: list[str]) -> np.ndarray:
    """Number the groups of connected pictures: near-duplicate pairs and identical files share a group.

    Args:
        count: number of pictures.
        pairs: pairs from `near_duplicates`.
        hashes: sha256 of each picture's file.

    Returns:
        Group number of each picture, int64 ``(count,)``.
    """
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    same_file = [(first.setdefault(value, i), i) for i, value in enumerate(hashes)]
    for i, j in [*pairs, *same_file]:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(count)], np.int64)
