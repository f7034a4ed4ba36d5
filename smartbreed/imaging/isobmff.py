"""Count what decoding a HEIC or AVIF (ISO BMFF) would cost, before decoding begins.

A picture may be composed of others, and those of others: grids of tiles, overlays, alpha channels. 62 kB
of such nesting can take minutes to decode, and so can 60,000 items in a parser that compares each with all
others.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress

#: Maximum number of boxes, and maximum nesting depth. Phones write about 300, five deep.
MOST_BOXES, MOST_LEVELS = 6_000, 12
#: Maximum number of items; each tile is one. 64 megapixels in tiles of 512 × 512, with a depth map, need
#: fewer than 600.
MOST_ITEMS = 2_000
#: Maximum number of references between items, and of rows in all tables together; a sequence has one per
#: frame.
MOST_REFERENCES, MOST_ROWS = 4_000, 50_000
#: Maximum number of pictures that one is composed of, each counted as often as it is used, and maximum
#: depth of that composition.
MOST_PARTS, MOST_STEPS = 2_000, 6
#: All these pictures together may have this many times the pixels of the primary one, plus `SPARE_PIXELS`.
MOST_COVERED, SPARE_PIXELS = 8, 8_000_000
#: Boxes that contain others → number of bytes before the first of those.
_CONTAINERS = {
    b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"dinf": 0, b"edts": 0, b"udta": 0,
    b"moof": 0, b"traf": 0, b"mvex": 0, b"iprp": 0, b"ipco": 0, b"grpl": 0, b"meta": 4, b"iref": 4,
    b"stsd": 8, b"dref": 8,
}  # fmt: skip
#: Boxes that are tables → number of bytes before the row count.
_TABLES = {
    b"stts": 4, b"ctts": 4, b"stsc": 4, b"stco": 4, b"co64": 4, b"stss": 4, b"elst": 4, b"trun": 4,
    b"stsz": 8, b"stz2": 8, b"sbgp": 8,
}  # fmt: skip
#: Types of items whose picture is composed of others.
_DERIVED = {b"grid", b"iovl", b"iden", b"tmap"}


class Contents:
    """What the boxes of a file declare, read without decoding any picture.

    Attributes:
        counts: number of boxes, levels, items, references and rows.
        primary: id of the item that is the main picture.
        sizes: number of pixels of each item, by id.
        parts: ids of the items that must be decoded for an item, by its id.
        derived: ids of the items that consist of other pictures only.
    """

    def __init__(self, data: bytes) -> None:
        self.counts: Counter[str] = Counter()
        self.primary = 0
        self.sizes: dict[int, int] = {}
        self.parts: dict[int, list[int]] = defaultdict(list)
        self.derived: set[int] = set()
        self._properties: list[int] = []
        self._linked: list[tuple[int, int]] = []
        self._wide_references = False
        for parent, name, start, end, level in _boxes(data):
            self.counts["boxes"] += 1
            self.counts["levels of boxes"] = max(self.counts["levels of boxes"], level)
            with suppress(struct.error, IndexError):  # it ends early, which the decoder will report
                self._note(data, parent, name, start, end)
            if self.excess:
                return
        for item, number in self._linked:
            if 0 < number <= len(self._properties) and self._properties[number - 1]:
                self.sizes[item] = self._properties[number - 1]

    @property
    def excess(self) -> tuple[str, int] | None:
        """The first limit that is exceeded, as its name and value; None if none is."""
        return next(((what, most) for what, most in _MOST.items() if self.counts[what] > most), None)

    def _note(self, data: bytes, parent: bytes, name: bytes, start: int, end: int) -> None:
        if parent == b"ipco":
            width, height = struct.unpack_from(">II", data, start + 4) if name == b"ispe" else (0, 0)
            self._properties.append(width * height)
        elif parent == b"iref":
            self._refer(data, name, start, end, wide=self._wide_references)
        elif name == b"iref":
            self._wide_references = data[start] > 0
        elif name == b"pitm":
            [self.primary] = struct.unpack_from(">I" if data[start] else ">H", data, start + 4)
        elif name == b"infe":
            self.counts["items"] += 1
            item, kind = struct.unpack_from(">I2x4s" if data[start] > 2 else ">H2x4s", data, start + 4)
            if kind in _DERIVED:
                self.derived.add(item)
        elif name == b"iloc":
            version = data[start]
            [rows] = struct.unpack_from(">I" if version == 2 else ">H", data, start + 6)
            self.counts["places of items"] += min(rows, end - start)
        elif name == b"ipma":
            self._link(data, start, end)
        elif name in _TABLES:
            [rows] = struct.unpack_from(">I", data, start + _TABLES[name])
            self.counts["rows of tables"] += min(rows, end - start)

    def _refer(self, data: bytes, name: bytes, start: int, end: int, *, wide: bool) -> None:
        size = 4 if wide else 2
        form = ">I" if wide else ">H"
        [item] = struct.unpack_from(form, data, start)
        [count] = struct.unpack_from(">H", data, start + size)
        count = min(count, (end - start - size - 2) // size)
        self.counts["references"] += max(count, 0)
        if self.counts["references"] > MOST_REFERENCES:
            return
        others = [
            struct.unpack_from(form, data, at)[0] for at in range(start + size + 2, end - size + 1, size)
        ][:count]
        if name == b"dimg":
            self.parts[item] += others
        elif name == b"auxl":  # an alpha channel is decoded with its picture
            for other in others:
                self.parts[other].append(item)

    def _link(self, data: bytes, start: int, end: int) -> None:
        flags = int.from_bytes(data[start : start + 4], "big")
        [rows] = struct.unpack_from(">I", data, start + 4)
        at, wide = start + 8, flags & 1
        for _ in range(rows):
            if at >= end or self.counts["rows of tables"] > MOST_ROWS:
                return
            item, count = struct.unpack_from(">IB" if flags >> 24 else ">HB", data, at)
            at += 5 if flags >> 24 else 3
            self.counts["rows of tables"] += 1 + count
            for place in range(at, at + count * (1 + wide), 1 + wide):
                number = struct.unpack_from(">H", data, place)[0] & 0x7FFF if wide else data[place] & 0x7F
                self._linked.append((item, number))
            at += count * (1 + wide)


_MOST = {
    "boxes": MOST_BOXES, "levels of boxes": MOST_LEVELS, "items": MOST_ITEMS, "places of items": MOST_ITEMS,
    "references": MOST_REFERENCES, "rows of tables": MOST_ROWS,
}  # fmt: skip


def excess(data: bytes) -> tuple[str, int] | None:
    """Return a limit that a HEIC or AVIF exceeds, as its name and value; None if it exceeds none.

    No program writes such files. Malformed structures are left to the decoder.

    >>> excess(photo)
    ('items', 2000)
    """
    contents = Contents(data)
    if found := contents.excess:
        return found
    # Number of pictures, their pixels, and depth below each item, computed bottom-up.
    known: dict[int, tuple[int, int, int]] = {}
    under_way: set[int] = set()
    waiting = [contents.primary]
    while waiting:
        item = waiting[-1]
        parts = contents.parts.get(item, [])
        if item not in known and item not in under_way:
            under_way.add(item)
            if missing := [part for part in dict.fromkeys(parts) if part not in known]:
                if under_way.intersection(missing):
                    return "pictures in each other", MOST_STEPS  # a cycle
                waiting += missing
                continue
        waiting.pop()
        if item in known:
            continue
        under_way.discard(item)
        own = (0, 0) if item in contents.derived else (1, contents.sizes.get(item, 0))
        count = own[0] + sum(known[part][0] for part in parts)
        pixels = own[1] + sum(known[part][1] for part in parts)
        steps = 1 + max((known[part][2] for part in parts), default=-1)
        if count > MOST_PARTS:
            return "pictures", MOST_PARTS
        if steps > MOST_STEPS:
            return "pictures in each other", MOST_STEPS
        known[item] = count, pixels, steps
    most = MOST_COVERED * contents.sizes.get(contents.primary, 0) + SPARE_PIXELS
    return ("pixels in all its pictures", most) if known[contents.primary][1] > most else None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes, int, int, int]]:
    """Yield, for each box in order, its parent's name, its name, start and end of its content, and level."""
    around: list[tuple[bytes, int]] = [(b"", len(data))]
    at = 0
    while around:
        parent, end = around[-1]
        if at + 8 > end:
            around.pop()
            at = end
            continue
        length, start = int.from_bytes(data[at : at + 4], "big"), at + 8
        if length == 1:
            length, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = end if length == 0 else min(at + length, end)
        if stop < start:  # invalid length
            around.pop()
            at = end
            continue
        name = data[at + 4 : at + 8]
        yield parent, name, start, stop, len(around)
        inside = _CONTAINERS.get(name)
        if name == b"iinf":
            inside = 8 if data[start : start + 1] > b"\0" else 6
        if inside is None:
            at = stop
        else:
            around.append((name, stop))
            at = start + inside
