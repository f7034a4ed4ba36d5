"""Looks for a photograph in every byte under a folder: as a file, as pixels, by name, in a database."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

#: Two pictures whose small versions differ by less, in grey levels on average, are one.
_SAME = 10.0


def small(picture: Image.Image) -> np.ndarray:
    """A picture of any size as float32 ``(12, 12, 3)``, by which to recognise it."""
    return np.asarray(picture.convert("RGB").resize((12, 12)), np.float32)


def traces(home: Path, photo: bytes, crops: list[Image.Image]) -> list[str]:
    """Where something of a photograph is, as a path and a word each.

    Args:
        home: the folder.
        photo: the stored file.
        crops: what of it may lie about decoded, beside the whole.
    """
    name = hashlib.sha256(photo).hexdigest()
    looks = [small(one) for one in (Image.open(io.BytesIO(photo)), *crops)]
    # No header and no table of a JPEG: bytes that only this picture has.
    middle = photo[len(photo) // 2 : len(photo) // 2 + 48]
    found = []
    for path in sorted(path for path in home.rglob("*") if path.is_file() and not path.is_symlink()):
        where, data = str(path.relative_to(home)), path.read_bytes()
        if middle in data:
            found.append(f"{where}: its bytes")
        if name.encode() in data or bytes.fromhex(name) in data or name in where:
            found.append(f"{where}: its name")
        if any(np.abs(small(picture) - look).mean() < _SAME for picture in _pictures(data) for look in looks):
            found.append(f"{where}: its pixels")
    return found


def _pictures(data: bytes) -> Iterator[Image.Image]:
    """Every picture in a file of a kind that holds pictures."""
    if data.startswith(b"PAR1"):
        import pyarrow.parquet as pq

        for row in pq.read_table(io.BytesIO(data)).to_pylist():
            for value in row.values():
                if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
                    yield Image.open(io.BytesIO(value["bytes"]))
    elif data.startswith(b"\x93NUMPY"):
        yield from _of_array(np.load(io.BytesIO(data), allow_pickle=False))
    elif data.startswith(b"PK\x03\x04"):
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            for key in loaded.files:
                yield from _of_array(loaded[key])
    elif data.startswith((b"\xff\xd8", b"\x89PNG")):
        yield Image.open(io.BytesIO(data))


def _of_array(array: np.ndarray[Any, Any]) -> Iterator[Image.Image]:
    if array.ndim == 3 and array.shape[-1] == 3:
        array = array[None]
    if array.ndim == 4 and array.shape[-1] == 3:
        for one in array:
            scaled = one if one.dtype == np.uint8 else np.clip(one * (255 if one.max() <= 1 else 1), 0, 255)
            yield Image.fromarray(scaled.astype(np.uint8))
