"""Train a bundle from a folder of photos without a database, for the command line and Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.core.files import expanded
from smartbreed.core.text import one_line
from smartbreed.gallery.sources import open_source
from smartbreed.imaging.photo import MAX_BYTES, Photo, read_photo
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.pipeline import Identifier
from smartbreed.sources.annotations import Boxed, boxes_of, cut, folder_files, zip_files
from smartbreed.sources.items import Item
from smartbreed.teach.bundle import check_classes, write_bundle
from smartbreed.teach.learning import Taught, teach
from smartbreed.teach.photos import Subject, groups_of, see


@dataclass(frozen=True)
class Made:
    """A bundle trained from a folder.

    Attributes:
        names: its classes, in the order of `taught`.
        unusable: number of photos left out, by the reason in a sentence.
        alike: number of photos that are near-duplicates of another one.
        files: name of each photo in training order; `Suspicious.place` is an index into it.
    """

    bundle: Bundle
    names: tuple[str, ...]
    taught: Taught
    unusable: dict[str, int]
    alike: int
    files: tuple[str, ...]


def teach_folder(
    source: str | Path,
    out: str | Path,
    *,
    name: str = "",
    subject: Subject = "pet",
    identifier: Identifier | None = None,
    progress: Callable[[str], object] = lambda line: None,
) -> Made:
    """Train a bundle from a folder with one subfolder per class.

    Args:
        source: that folder, a zip of it, a folder or zip with COCO or YOLO boxes, or a dataset repo or
            folder with pictures and labels.
        out: folder of the bundle, which must be new or empty.
        name: name of the model; empty for the name of the source.
        subject: ``pet`` for the cat or dog in each photo, ``whole`` for the whole photo.
        identifier: the model whose embeddings are learnt from; by default the model of the settings.
        progress: called with a line of text after every 50 photos.

    Example:
        >>> from smartbreed.teach.offline import teach_folder
        >>> teach_folder("my_pets", "my_bundle")
        >>> smartbreed.load("my_bundle").identify("rex.jpg")

    Raises:
        RequestError: the source does not exist or has too few classes or photos, or ``out`` is not empty.
        BundleError, StorageError: the bundle cannot be made.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RequestError("not_empty", f"{target} already exists; name a new folder for the bundle.")
    if identifier is None:
        from smartbreed.model import Model

        identifier = Model().identifier
    called, total, photos = _opened(str(source))
    names: list[str] = []
    unusable: dict[str, int] = {}
    embeddings: list[np.ndarray] = []
    labels: list[int] = []
    phashes: list[str] = []
    files: list[str] = []
    for number, found in enumerate(photos, start=1):
        try:
            seen = see(identifier, found.load(), subject)
        except PhotoError as error:
            unusable[error.message] = unusable.get(error.message, 0) + 1
            continue
        label = one_line(found.label)
        if label not in names:
            names.append(label)
        embeddings.append(seen.embedding)
        labels.append(names.index(label))
        phashes.append(seen.phash)
        files.append(found.file)
        if number % 50 == 0:
            progress(f"{number} of {total or '?'} photos looked at")
    check_classes(names, _counts(labels, len(names)))
    stacked = np.stack(embeddings)
    groups = groups_of(stacked, phashes)
    taught = teach(stacked, np.array(labels), len(names), groups)
    bundle = write_bundle(
        target,
        identifier.bundle,
        taught,
        names,
        one_line(name) or one_line(called) or "My model",
        subject,
    )
    return Made(bundle, tuple(names), taught, unusable, len(groups) - len(set(groups)), tuple(files))


@dataclass(frozen=True)
class _Found:
    """A photo: its class, its name, and a function that reads it or raises `PhotoError`."""

    label: str
    file: str
    load: Callable[[], Photo]


def _opened(source: str) -> tuple[str, int | None, Iterator[_Found]]:
    """Return name, number of photos (None if unknown) and photos of a source.

    In a folder or zip with annotations, each box counts as a photo.
    """
    local = expanded(source)
    files = folder_files(local) if local.is_dir() else zip_files(local) if is_zipfile(local) else None
    boxes = boxes_of(*files) if files else None
    if files is None or boxes is None:
        opened = open_source(source)
        return (
            opened.name,
            opened.total,
            (
                _Found(
                    one.label,
                    str(one.where) if isinstance(one.where, Path) else one.name,
                    partial(_load, one),
                )
                for one in opened.photos
            ),
        )
    read = lru_cache(1)(lambda name: read_photo(files[1](name, MAX_BYTES + 1), reduce=True))
    return (
        local.resolve().stem,
        len(boxes),
        (_Found(one.label, one.picture or "a box", partial(_cut, read, one)) for one in boxes),
    )


def _load(item: Item) -> Photo:
    return read_photo(item.read(MAX_BYTES), reduce=True)


def _cut(read: Callable[[str], Photo], box: Boxed) -> Photo:
    if box.problem:
        raise PhotoError("damaged", box.problem)
    return cut(read(box.picture), box.area)


def _counts(labels: Sequence[int], classes: int) -> list[int]:
    return [int(count) for count in np.bincount(np.array(labels, int), minlength=classes)]
