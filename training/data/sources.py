"""Open a source of training pictures: Hub repo, dataset folder, parquet file, image folder, keras.datasets.

Every source becomes a list of `Sample` with still encoded pictures; `training.data.reading` decodes them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smartbreed.core.files import expanded
from smartbreed.imaging.photo import Box
from training.common.errors import DataError
from training.data.rows import box_list, cache_of, located, reason_of, species_number
from training.recipe.recipe import Data

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif")
#: Common names of splits, mapped to the names used here.
SPLITS = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation",
    "val": "validation", "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
KERAS_DATASETS = {
    "cifar10": (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One subject of one picture.

    Attributes:
        read: returns the encoded picture; may raise OSError.
        label: label as the source writes it; empty if it has none.
        origin: name of the original file.
        split: ``train``, ``validation`` or ``test``; empty if the source has no splits.
        box: x0, y0, x1, y1 in pixels; None for the whole picture.
        species: 0 cat, 1 dog, -1 unknown.
    """

    read: Callable[[], bytes]
    label: str
    origin: str
    split: str = ""
    box: Box | None = None
    species: int = -1


@dataclass(frozen=True)
class PictureSource:
    """The samples of a source, their labels in class order, and the kind of source."""

    samples: list[Sample]
    labels: list[str]
    kind: str


def open_source(data: Data) -> PictureSource:
    """Open the source of pictures that a recipe names.

    Raises:
        DataError: the source has no pictures or cannot be loaded (such as without a network), a column does
            not exist, or a box or species is invalid; the message names it.
    """
    if data.source.startswith("keras:"):
        return _keras(data.source.removeprefix("keras:"))
    path = expanded(data.source)
    if path.is_dir() and not _has_tables(path):
        return _image_folder(path)
    return _dataset(data, path)


def _has_tables(folder: Path) -> bool:
    return any(folder.rglob("*.parquet")) or any(folder.glob("*.arrow"))


def _image_folder(folder: Path) -> PictureSource:
    """Read ``class/*.jpg``, or the same layout under ``train/``, ``validation/`` and ``test/``."""
    top = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    named = {p: SPLITS.get(p.name.lower(), "") for p in top}
    roots = [(p, split) for p, split in named.items() if split]
    if not roots or not all(named.values()):
        roots = [(folder, "")]
    samples, labels = [], set()
    for root, split in roots:
        for place in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
            labels.add(place.name)
            samples += [
                Sample(path.read_bytes, place.name, str(path.relative_to(folder)), split)
                for path in sorted(place.rglob("*"))
                if path.is_file() and path.suffix.lower() in SUFFIXES
            ]
    if not samples:
        raise DataError(
            f"There are no pictures there; an image folder holds one folder of pictures a class. "
            f"Received: data.source={folder}"
        )
    return PictureSource(samples, sorted(labels), "image folder")


def _dataset(data: Data, path: Path) -> PictureSource:
    tables = _load(data, path)
    names = list(next(iter(tables.values())).column_names)
    wanted = {"image": data.image, "label": data.label, "boxes": data.boxes, "origin": data.origin,
              "species": data.species}  # fmt: skip
    for key, column in wanted.items():
        if column and column not in names:
            raise DataError(
                f"data.{key} names no column of the dataset, which has {', '.join(names)}. Received: {column}"
            )
    samples: list[Sample] = []
    labels: list[str] = []
    for split, table in tables.items():
        classes = _class_names(table.features[data.label])
        kinds = _class_names(table.features[data.species]) if data.species else None
        labels += [name for name in classes or [] if name not in labels]
        for number, row in enumerate(table):
            place = SPLITS.get(split.lower(), "")
            samples += _samples(data, row, classes, kinds, place, f"{split}-{number:05d}")
    if not labels:
        labels = sorted({sample.label for sample in samples if sample.label})
    if len(tables) == 1:  # a single split does not say which pictures to test on
        samples = [Sample(s.read, s.label, s.origin, "", s.box, s.species) for s in samples]
    return PictureSource(samples, labels, "dataset")


def _load(data: Data, path: Path) -> dict[str, Any]:
    """Load the table of each split, with pictures still encoded."""
    from datasets import Image as ImageFeature
    from datasets import load_dataset

    try:
        if path.suffix == ".parquet":
            if not path.is_file():
                raise DataError(f"There is no such file. Received: data.source={data.source}")
            tables = load_dataset("parquet", data_files={"train": str(path)})
        else:
            tables = load_dataset(*located(data.source, data.config), cache_dir=cache_of(data.source))
    except DataError:
        raise
    except Exception as error:  # `datasets` raises many types of errors: of the Hub, the disk, the format
        raise DataError(
            f"The dataset could not be loaded ({reason_of(error)}). Received: data.source={data.source}, "
            f"data.config={data.config!r}"
        ) from None
    first = next(iter(tables.values()))
    if data.image not in first.column_names:
        raise DataError(
            f"data.image names no column of the dataset, which has {', '.join(first.column_names)}. "
            f"Received: {data.image}"
        )
    return {
        split: table.cast_column(data.image, ImageFeature(decode=False)) for split, table in tables.items()
    }


def _class_names(feature: Any) -> list[str] | None:
    """Return the names of a ClassLabel (or of a list of them); None for text and numbers."""
    inner = getattr(feature, "feature", feature)
    return list(inner.names) if hasattr(inner, "names") else None


def _samples(
    data: Data,
    row: dict[str, Any],
    classes: list[str] | None,
    kinds: list[str] | None,
    split: str,
    number: str,
) -> list[Sample]:
    picture = row[data.image] or {}
    raw, stored = picture.get("bytes"), picture.get("path")
    read = (lambda: raw) if raw is not None else (lambda: Path(stored or "").read_bytes())
    origin = str(row[data.origin]) if data.origin else f"{number} {Path(stored or '').name}".strip()
    boxes = _boxes(row[data.boxes], origin) if data.boxes else [None]
    values = row[data.label]
    labels = list(values) if isinstance(values, (list, tuple)) else [values] * len(boxes)
    given = row[data.species] if data.species else None
    species = list(given) if isinstance(given, (list, tuple)) else [given] * len(boxes)
    if len(labels) != len(boxes) or len(species) != len(boxes):
        raise DataError(
            f"A picture needs one label for all its boxes or one each. Received: {origin} with "
            f"{len(boxes)} boxes and {len(labels)} labels"
        )
    return [
        Sample(read, _label(label, classes), origin, split, box, species_number(kind, kinds))
        for box, label, kind in zip(boxes, labels, species, strict=True)
    ]


def _label(value: Any, classes: list[str] | None) -> str:
    if value is None or value == "" or value == -1:
        return ""
    return classes[int(value)] if classes and not isinstance(value, str) else str(value)


def _boxes(value: Any, origin: str) -> Sequence[Box | None]:
    """Parse one box or a list of boxes; without any, the whole picture counts as one (None)."""
    try:
        return box_list(value) or [None]
    except DataError as error:
        raise DataError(f"{error.message} in data.boxes of {origin}") from None


def _keras(name: str) -> PictureSource:
    if name not in KERAS_DATASETS:
        raise DataError(
            f"keras.datasets has {', '.join(KERAS_DATASETS)} for us. Received: data.source=keras:{name}"
        )
    import keras

    try:
        parts = getattr(keras.datasets, name).load_data()
    except Exception:  # keras raises plain Exception when it cannot download
        raise DataError(
            f"{name} could not be downloaded; unpack it as an image folder (class/*.png) and give that with "
            f"--set data.source=FOLDER. Received: data.source=keras:{name}"
        ) from None
    labels = list(KERAS_DATASETS[name])
    samples = [
        Sample(_png(image), labels[int(label)], f"{split}-{number:05d}", split)
        for split, (images, values) in zip(("train", "test"), parts, strict=True)
        for number, (image, label) in enumerate(zip(images, values.reshape(-1), strict=True))
    ]
    return PictureSource(samples, labels, "keras.datasets")


def _png(image: Any) -> Callable[[], bytes]:
    def read() -> bytes:
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    return read
