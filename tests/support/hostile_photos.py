"""Small files made to cost a decoder far more than their bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO

from PIL import Image

from support.photos import blobs

#: The item type of a coded picture, and the property that says how it is coded, by format.
CODED = {"AVIF": (b"av01", b"av1C"), "HEIC": (b"hvc1", b"hvcC")}
_BRANDS = {"AVIF": b"avif\0\0\0\0avifmif1miaf", "HEIC": b"heic\0\0\0\0mif1heic"}


def box(name: bytes, *parts: bytes) -> bytes:
    """A box of ISO BMFF."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def full(name: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with a version and flags."""
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def inside(data: bytes, name: bytes) -> bytes:
    """The body of the first box of a name, wherever it lies."""
    at = data.index(name) - 4
    return data[at + 8 : at + int.from_bytes(data[at : at + 4], "big")]


@cache
def coded(kind: str, side: int = 64) -> tuple[bytes, bytes]:
    """A picture as an item holds it, and the body of the property that says how it is coded."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    buffer = BytesIO()
    picture = Image.fromarray(blobs(1, 64, 64)).resize((side, side))
    picture.save(buffer, "HEIF" if kind == "HEIC" else kind, **({"speed": 10} if kind == "AVIF" else {}))
    data = buffer.getvalue()
    # The largest extent is the picture: it comes last in the file, and an alpha channel is not written.
    return inside(data, b"mdat"), inside(data, CODED[kind][1])


@dataclass
class Item:
    """An item of a container.

    Attributes:
        type: its four characters; empty: a coded picture.
        data: its bytes; None: those of the coded picture.
        size: what its property says of its width and height.
        refers: type of a reference, and the items that it leads to.
        properties: further boxes.
    """

    type: bytes = b""
    data: bytes | None = None
    size: tuple[int, int] = (64, 64)
    refers: Sequence[tuple[bytes, Sequence[int]]] = ()
    properties: Sequence[bytes] = ()


@dataclass
class Container:
    """A HEIC or AVIF of any items, which are numbered from 1; the first is the picture.

    Attributes:
        kind: HEIC or AVIF.
        more: boxes at the end of ``meta``, of ``ipco`` and of the file.
    """

    kind: str
    items: list[Item]
    side: int = 64
    in_meta: bytes = b""
    in_ipco: bytes = b""
    after: bytes = b""
    brands: bytes = b""
    associations: int = 1
    _properties: dict[bytes, int] = field(default_factory=dict)

    def data(self) -> bytes:
        """The file."""
        picture, configuration = coded(self.kind, self.side)
        kind, name = CODED[self.kind]
        self._number(box(name, configuration))
        parts: dict[bytes, int] = {}
        media = b""
        rows: list[tuple[int, int, int]] = []
        linked = []
        for number, item in enumerate(self.items, 1):
            body = picture if item.data is None else item.data
            if body not in parts:
                parts[body] = len(media)
                media += body
            rows.append((number, parts[body], len(body)))
            own = [full(b"ispe", struct.pack(">II", *item.size)), *item.properties]
            ids = [self._number(one) for one in own] + ([1] if not item.type else [])
            linked.append((number, ids * self.associations))
        infe = [
            full(b"infe", struct.pack(">HH4sx", n, 0, item.type or kind), version=2)
            for n, item in enumerate(self.items, 1)
        ]
        iref = [
            box(what, struct.pack(f">HH{len(to)}H", n, len(to), *to))
            for n, item in enumerate(self.items, 1)
            for what, to in item.refers
        ]
        ipma = b"".join(
            struct.pack(">HB", n, len(ids)) + struct.pack(f">{len(ids)}H", *ids) for n, ids in linked
        )
        head = box(b"ftyp", self.brands or _BRANDS[self.kind])

        def meta(start: int) -> bytes:
            iloc = b"".join(struct.pack(">HHHII", n, 0, 1, start + at, size) for n, at, size in rows)
            return full(
                b"meta",
                full(b"hdlr", bytes(4), b"pict", bytes(13)),
                full(b"pitm", struct.pack(">H", 1)),
                full(b"iloc", struct.pack(">HH", 0x4400, len(rows)), iloc),
                full(b"iinf", struct.pack(">H", len(infe)), *infe),
                full(b"iref", *iref) if iref else b"",
                box(
                    b"iprp",
                    box(b"ipco", *self._properties, self.in_ipco),
                    full(b"ipma", struct.pack(">I", len(linked)), ipma, flags=1),
                ),
                self.in_meta,
            )

        start = len(head) + len(meta(0)) + 8
        return head + meta(start) + box(b"mdat", media) + self.after

    def _number(self, one: bytes) -> int:
        return self._properties.setdefault(one, len(self._properties) + 1)


def grid(rows: int, columns: int, width: int, height: int) -> bytes:
    """The body of an item that lays others out in rows and columns."""
    return struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)


def overlay(count: int, width: int, height: int) -> bytes:
    """The body of an item that lays others over each other."""
    return struct.pack(">BB4HII", 0, 1, 0, 0, 0, 0, width, height) + bytes(8 * count)


_ALPHA = full(b"auxC", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")


def _nested(name: bytes, levels: int) -> bytes:
    return b"".join(struct.pack(">I", 8 * (levels - n)) + name for n in range(levels))


def _grid(rows: int, columns: int, part: int, *, size: tuple[int, int] = (64, 64)) -> Item:
    return Item(b"grid", grid(rows, columns, *size), size, [(b"dimg", [part] * (rows * columns))])


def _overlay(count: int, part: int) -> Item:
    return Item(b"iovl", overlay(count, 64, 64), refers=[(b"dimg", [part] * count)])


#: Of what a file has too much, and the file, for HEIC and AVIF alike. Many took seconds or minutes.
CONTAINERS: dict[str, tuple[str, Callable[[str], Container]]] = {
    "items": ("items", lambda kind: Container(kind, [Item()] * 20_000)),
    "a chain of pictures": (
        "items",
        lambda kind: Container(
            kind, [*(Item(b"iden", b"", refers=[(b"dimg", [n])]) for n in range(2, 20_002)), Item()]
        ),
    ),
    "a shorter chain": (
        "pictures in each other",
        lambda kind: Container(
            kind, [*(Item(b"iden", b"", refers=[(b"dimg", [n])]) for n in range(2, 1_000)), Item()]
        ),
    ),
    "a grid of itself": ("pictures in each other", lambda kind: Container(kind, [_grid(1, 1, 1)])),
    "grids of each other": (
        "pictures in each other",
        lambda kind: Container(kind, [_grid(1, 1, 2), _grid(1, 1, 1)]),
    ),
    "alpha channels of each other": (
        "pictures in each other",
        lambda kind: Container(
            kind,
            [Item(refers=[(b"auxl", [other])], properties=[_ALPHA]) for other in (2, 1)],
        ),
    ),
    "tiles": ("references", lambda kind: Container(kind, [_grid(100, 100, 2, size=(6400, 6400)), Item()])),
    "tiles of a grid of 64 pixels": (
        "pixels in all its pictures",
        lambda kind: Container(kind, [_grid(16, 16, 2), Item(size=(512, 512))], side=512),
    ),
    "grids of grids": (
        "pictures",
        lambda kind: Container(kind, [*(_grid(16, 16, part) for part in (2, 3, 4)), Item()]),
    ),
    "overlays of overlays": (
        "pictures",
        lambda kind: Container(kind, [*(_overlay(200, part) for part in (2, 3, 4)), Item()]),
    ),
    "alpha channels": (
        "items",
        lambda kind: Container(
            kind, [Item(), *[Item(refers=[(b"auxl", [1])], properties=[_ALPHA])] * 3_000]
        ),
    ),
    "alpha channels of one alpha channel": (
        "pictures",
        lambda kind: Container(
            kind, [Item(), Item(refers=[(b"auxl", [1] * 3_000)], properties=[_ALPHA])]
        ),
    ),
    "thumbnails": (
        "items",
        lambda kind: Container(kind, [Item(), *[Item(refers=[(b"thmb", [1])])] * 3_000]),
    ),
    "references": (
        "references",
        lambda kind: Container(kind, [Item(refers=[(b"cdsc", [2])] * 5_000), Item()]),
    ),
    "properties": (
        "boxes",
        lambda kind: Container(kind, [Item()], in_ipco=full(b"ispe", bytes(8)) * 10_000),
    ),
    "properties of items": (
        "rows of tables",
        lambda kind: Container(kind, [Item()] * 1_000, associations=60),
    ),
    "boxes": ("boxes", lambda kind: Container(kind, [Item()], after=box(b"free") * 10_000)),
    "boxes in boxes": (
        "levels of boxes",
        lambda kind: Container(kind, [Item()], in_meta=_nested(b"iprp", 1_000)),
    ),
    "frames": (
        "rows of tables",
        lambda kind: Container(
            kind,
            [Item()],
            after=box(b"moov", box(b"trak", full(b"stts", struct.pack(">I", 60_000), bytes(480_000)))),
        ),
    ),
}  # fmt: skip


def run_length_bmp(width: int = 4_000_000, height: int = 8) -> bytes:
    """A BMP of a kilobyte whose rows hold a pixel each; all others are filled in by a loop in Python."""
    runs = b"\1\0\0\0" * height + b"\0\1"
    start = 54 + 1024
    return (
        b"BM"
        + struct.pack("<IHHI", start + len(runs), 0, 0, start)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
        + bytes(1024)
        + runs
    )


def webp_of_chunks(count: int) -> bytes:
    """A WebP with so many empty chunks after its picture."""
    buffer = BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "WEBP")
    body = b"VP8X" + struct.pack("<I", 10) + bytes((0, 0, 0, 0, 63, 0, 0, 63, 0, 0)) + buffer.getvalue()[12:]
    body += b"junk\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def profile_of_steps(count: int) -> bytes:
    """The colour profile of sRGB, with a pipeline of so many steps that are one and the same matrix."""
    from PIL import ImageCms

    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    [tags] = struct.unpack_from(">I", plain, 128)
    start = 132 + 12 * tags
    matrix = b"matf" + struct.pack(
        ">4xHH12f", 3, 3, 0.9, 0.01, 0.02, 0.03, 0.9, 0.01, 0.02, 0.01, 0.9, 0, 0, 0
    )
    pipeline = b"mpet" + struct.pack(">4xHHI", 3, 3, count)
    pipeline += struct.pack(">II", len(pipeline) + 8 * count, len(matrix)) * count + matrix
    table = b"".join(
        struct.pack(">4sII", name, at + 12, size)
        for name, at, size in struct.iter_unpack(">4sII", plain[132:start])
    )
    table += struct.pack(">4sII", b"D2B0", len(plain) + 12, len(pipeline))
    body = plain[4:128] + struct.pack(">I", tags + 1) + table + plain[start:] + pipeline
    return struct.pack(">I", len(body) + 4) + body
