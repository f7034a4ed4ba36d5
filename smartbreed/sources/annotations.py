"""Read boxes of pictures and their classes from COCO's JSON or YOLO's text files in a zip or folder."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from smartbreed.core.archives import BROKEN_ZIP
from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.core.text import read_yaml
from smartbreed.imaging.photo import Photo
from smartbreed.sources.files import is_picture
from smartbreed.sources.items import no_source, open_zip

#: Maximum size of a JSON or text file that is read, and of all files with annotations together, in bytes.
MOST_JSON, MOST_TEXT = 16_000_000, 1_000_000
#: Maximum number of boxes, and of lists, objects and values in all JSON: parsed, they take 240 MB at most.
MOST_BOXES, _MOST_ITEMS = 200_000, 2_000_000
#: Characters of the longest path of a picture.
_MOST_PATH = 4_096
#: What COCO's JSON contains at least.
_COCO = ("images", "annotations", "categories")
#: Margin around a box, as a share of its sides, and the shortest side of a usable box, in pixels.
_MARGIN, _LEAST = 0.1, 16
#: Files in which YOLO's tools list the names of the classes.
_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")

NO_PICTURE = "A box is of a picture that is not there."
BAD_BOX = "A box is outside of its picture, or too small."
NO_CLASS = "A box is of a class that has no name."


class Area(NamedTuple):
    """A box x0, y0, x1, y1 in a picture of this width and height, or, if these are 0, in its own pixels."""

    x0: float = 0
    y0: float = 0
    x1: float = 0
    y1: float = 0
    width: float = 0
    height: float = 0


_NOWHERE = Area()


@dataclass(frozen=True)
class Boxed:
    """A box of a picture, with its class.

    Attributes:
        picture: name of the picture among the files; empty if there is none.
        label: name of the class.
        problem: why the box is unusable, in a sentence; empty if it is usable.
    """

    picture: str
    label: str
    area: Area = _NOWHERE
    problem: str = ""


def boxes_of(names: Sequence[str], read: Callable[[str, int], bytes]) -> list[Boxed] | None:
    """Return all boxes, sorted by picture; None if there are no annotations among the files.

    Args:
        names: of all files, with ``/`` between folders; they are compared and never used as paths.
        read: returns the content of a file, given its name and the maximum number of bytes.

    Raises:
        RequestError: ``bad_boxes``: the annotations cannot be read, or contain no box or too many.
    """
    pictures = [name for name in names if is_picture(name)]
    finder, budget = _Finder(pictures), _Budget()
    found: list[Boxed] | None = None
    for name in names:
        # One byte more, by which a file that is too large is recognised.
        if name.lower().endswith(".json") and (content := _coco_content(read(name, MOST_JSON + 1), budget)):
            found = found or []
            if len(found) + len(content["annotations"]) > MOST_BOXES:
                raise _too_many()
            found.extend(_coco(content, finder, name))
    if found is None:
        named = next((one for key in _NAMES for one in names if PurePosixPath(one).name == key), "")
        if named:
            labels = _yolo_names(named, read(named, MOST_TEXT))
            found = list(islice(_yolo(names, pictures, labels, read, budget), MOST_BOXES + 1))
    if found is None:
        return None
    if not found:
        raise _bad("These annotations hold no box.")
    if len(found) > MOST_BOXES:
        raise _too_many()
    return sorted(found, key=lambda one: one.picture)


class _Budget:
    """Counts the bytes and the items of all annotations."""

    def __init__(self) -> None:
        self._bytes, self._items = MOST_JSON, _MOST_ITEMS

    def take(self, size: int, items: int = 0) -> None:
        """Count a file before it is parsed.

        Raises:
            RequestError: ``bad_boxes``: together with those before it is too large.
        """
        self._bytes -= size
        self._items -= items
        if self._bytes < 0 or self._items < 0:
            raise _bad("These annotations are too large. Leave out what is no box, such as outlines.")


def cut(photo: Photo, area: Area) -> Photo:
    """Cut out what a box shows, with a small margin.

    Raises:
        PhotoError: ``damaged``: the box is outside of the picture, or too small.
    """
    width, height = area.width or photo.width, area.height or photo.height
    x0, x1 = (value / width * photo.pixels.shape[1] for value in (area.x0, area.x1))
    y0, y1 = (value / height * photo.pixels.shape[0] for value in (area.y0, area.y1))
    x0, y0 = max(x0, 0), max(y0, 0)
    x1, y1 = min(x1, photo.pixels.shape[1]), min(y1, photo.pixels.shape[0])
    if x1 - x0 < _LEAST or y1 - y0 < _LEAST:
        raise PhotoError("damaged", BAD_BOX)
    wide, high = _MARGIN * (x1 - x0), _MARGIN * (y1 - y0)
    rows = slice(round(max(y0 - high, 0)), round(y1 + high))
    pixels = photo.pixels[rows, round(max(x0 - wide, 0)) : round(x1 + wide)].copy()
    pixels.flags.writeable = False
    return Photo(pixels, photo.sha256, photo.name)


class _Finder:
    """Finds pictures by what annotations call them: a path, the end of a path, or a unique file name."""

    def __init__(self, pictures: Sequence[str]) -> None:
        self._paths = set(pictures)
        #: Sorted by their ends: pictures with the same end stand together, however many there are.
        self._backwards = sorted(f"/{path}"[::-1] for path in self._paths)

    def find(self, said: str, beside: str) -> str:
        """Return the path of a picture; empty if there is none."""
        if not said or len(said) > _MOST_PATH:
            return ""
        # Without pathlib, which takes ten times as long, and there may be as many names as boxes.
        parts = [part for part in said.replace("\\", "/").split("/") if part not in ("", ".")]
        clean, folder = "/".join(parts), beside.rpartition("/")[0]
        near = f"{folder}/{clean}" if folder else clean
        for path in (clean, near):
            if path in self._paths:
                return path
        return self._only(clean) or self._only(clean.rpartition("/")[2])

    def _only(self, end: str) -> str:
        """Return the path that ends with these parts; empty if there is none or more than one."""
        wanted = f"/{end}"[::-1]
        first = bisect_left(self._backwards, wanted)
        found = [path for path in self._backwards[first : first + 2] if path.startswith(wanted)]
        return found[0][::-1].removeprefix("/") if end and len(found) == 1 else ""


def _coco(content: dict[str, Any], finder: _Finder, name: str) -> Iterator[Boxed]:
    labels = {_id(one.get("id")): _text(one.get("name")) for one in _rows(content["categories"])}
    images = {_id(one.get("id")): one for one in _rows(content["images"])}
    pictures: dict[str | float | None, str] = {}
    for row in content["annotations"]:
        if row.get("iscrowd"):
            continue
        number = _id(row.get("image_id"))
        image = images.get(number, {})
        label = labels.get(_id(row.get("category_id")), "")
        if number not in pictures:
            pictures[number] = finder.find(_text(image.get("file_name")), name)
        picture = pictures[number]
        box, size = _numbers(row.get("bbox"), 4), _numbers([image.get("width"), image.get("height")], 2)
        width, height = size if size and min(size) > 0 else (0.0, 0.0)
        area = Area(box[0], box[1], box[0] + box[2], box[1] + box[3], width, height) if box else None
        yield _boxed(picture, label, area)


def _yolo(
    names: Sequence[str],
    pictures: Sequence[str],
    labels: Sequence[str],
    read: Callable[[str, int], bytes],
    budget: _Budget,
) -> Iterator[Boxed]:
    by_stem = {PurePosixPath(path).with_suffix("").as_posix(): path for path in pictures}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() != ".txt" or path.name in _NAMES:
            continue
        stem = path.with_suffix("").as_posix()
        beside = "/".join("images" if part == "labels" else part for part in stem.split("/"))
        picture = by_stem.get(beside) or by_stem.get(stem) or ""
        data = read(name, MOST_TEXT)
        budget.take(len(data))
        for line in data.decode("utf-8", "replace").splitlines():
            words = line.split()
            if not words:
                continue
            values = _numbers(words, 5)
            if values is None:
                if picture:  # without a picture it is no annotation, but a README or the like
                    yield Boxed(picture, "", problem=BAD_BOX)
                continue
            number, x, y, w, h = values
            label = labels[int(number)] if number.is_integer() and 0 <= number < len(labels) else ""
            yield _boxed(picture, label, Area(x - w / 2, y - h / 2, x + w / 2, y + h / 2, 1.0, 1.0))


def _boxed(picture: str, label: str, area: Area | None) -> Boxed:
    if not picture:
        return Boxed("", label, problem=NO_PICTURE)
    if area is None or not (area.x1 > area.x0 and area.y1 > area.y0):
        return Boxed(picture, label, problem=BAD_BOX)
    return Boxed(picture, label, area) if label.strip() else Boxed(picture, "", problem=NO_CLASS)


def _yolo_names(name: str, data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    if name.endswith((".txt", ".names")):
        return [line.strip() for line in text.splitlines()]
    try:
        found = read_yaml(text)
    except ValueError:
        raise _bad(f"{PurePosixPath(name).name} cannot be read.") from None
    names = found.get("names") if isinstance(found, dict) else None
    if isinstance(names, dict):
        keys = {key: value for key, value in names.items() if isinstance(key, int) and 0 <= key < 10_000}
        names = [keys.get(number, "") for number in range(max(keys, default=-1) + 1)]
    if not isinstance(names, list) or not names:
        raise _bad(f"{PurePosixPath(name).name} names no classes.")
    # Plain values only: YAML aliases of nested lists could expand to a text of any length.
    return [_text(one) for one in names]


def _coco_content(data: bytes, budget: _Budget) -> dict[str, Any] | None:
    """Return the content of COCO's JSON; None for anything else, as any file may lie beside the pictures.

    Raises:
        RequestError: ``bad_boxes``: it is too large.
    """
    try:
        text = data.decode(json.detect_encoding(data), "surrogatepass")
        if not all(f'"{key}"' in text for key in _COCO):
            return None
        # Before it is parsed, because that can turn 4 MB into 250; those in names count too, but are few.
        budget.take(len(data), text.count(",") + text.count("[") + text.count("{"))
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not all(key in content for key in _COCO):
        return None
    return content | {"annotations": _rows(content["annotations"])}


def _rows(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _id(value: Any) -> str | float | None:
    """Return a value that can be an id; None for others, such as lists and objects."""
    return value if isinstance(value, str | int | float) else None


def _text(value: Any) -> str:
    """Return a plain value as text; empty for anything else."""
    if isinstance(value, int) and abs(value) >= 10**18:  # Python refuses to convert very long integers
        return ""
    return str(value) if isinstance(value, str | int | float) else ""


def _numbers(values: Any, count: int) -> list[float] | None:
    """Return the values as exactly ``count`` finite numbers; None if they are not."""
    if not isinstance(values, list) or len(values) != count:
        return None
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(math.isfinite(value) for value in found) else None


def _bad(sentence: str) -> RequestError:
    return RequestError("bad_boxes", sentence)


def _too_many() -> RequestError:
    return _bad(f"These annotations hold more than {MOST_BOXES:,} boxes.")


def zip_files(path: Path) -> tuple[list[str], Callable[[str, int], bytes]]:
    """Return the names of a zip's files and a function that reads one, for `boxes_of`.

    Nothing is unpacked onto the disk.

    Raises:
        RequestError: ``no_source``: the zip cannot be read.
    """
    try:
        archive = open_zip(path)
    except BROKEN_ZIP:
        raise no_source("This zip cannot be read. Pack the photos once more.") from None

    def read(name: str, most: int) -> bytes:
        try:
            with archive.open(name) as member:
                return member.read(most)
        except BROKEN_ZIP:
            return b""

    return [entry.filename for entry in archive.infolist() if not entry.is_dir()], read


def folder_files(folder: Path) -> tuple[list[str], Callable[[str, int], bytes]]:
    """Return the names of a folder's files, links left out, and a function that reads one, for `boxes_of`."""
    names = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]

    def read(name: str, most: int) -> bytes:
        with (folder / name).open("rb") as file:
            return file.read(most)

    return names, read
