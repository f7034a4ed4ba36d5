"""Read rows of a dataset with the library `datasets`, and parse their pictures, boxes and species."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.core.errors import PhotoError
from smartbreed.core.files import expanded
from smartbreed.imaging.photo import Box, read_photo
from training.common.errors import DataError, MissingSplitError

#: How `datasets` begins the message about a missing split, and about a missing configuration.
_MISSING = re.compile(r"Unknown split |BuilderConfig '[^']*' not found")


def read_rows(
    root: str, config: str, split: str, *, image: str = "image", needed: tuple[str, ...] = ()
) -> tuple[Any, list[dict[str, Any]]]:
    """Return the features and the rows of a split, with pictures still encoded: ``{"bytes": …, "path": …}``.

    Args:
        root: dataset repo or folder.
        config: configuration of the dataset; empty if it has only one.
        split: ``train`` or ``test``.
        image: name of the column of pictures.
        needed: other columns that must exist.

    Raises:
        MissingSplitError: the dataset has no such configuration or split.
        DataError: the dataset cannot be loaded, or lacks a column; the message names it.
    """
    from datasets import Image as ImageFeature
    from datasets import load_dataset

    received = f"Received: {root}, configuration {config or 'default'}, split {split}"
    try:
        dataset = load_dataset(*located(root, config), split=split, cache_dir=cache_of(root))
    except Exception as error:  # `datasets` raises many types of errors: of the Hub, the disk, the format
        kind = MissingSplitError if _MISSING.match(str(error)) else DataError
        raise kind(f"The dataset could not be loaded ({reason_of(error)}). {received}") from None
    if missing := [name for name in (image, *needed) if name not in dataset.column_names]:
        raise DataError(
            f"The dataset has no column {' and no column '.join(missing)}, only "
            f"{', '.join(dataset.column_names)}. {received}"
        )
    features = dataset.features
    try:
        return features, list(dataset.cast_column(image, ImageFeature(decode=False)))
    except Exception as error:  # such as a column of numbers, or a truncated shard
        raise DataError(
            f"The pictures of the column {image} cannot be read ({reason_of(error)}). {received}"
        ) from None


def located(root: str, config: str) -> tuple[str, str | None]:
    """Return the arguments for `datasets.load_dataset`: a path or repo, and a configuration.

    A folder whose README is missing or does not name the configuration may still hold it as
    ``CONFIG/*.parquet``. That subfolder is then the path, and the file names say which split each belongs to.

    Args:
        root: dataset repo or folder.
        config: configuration of the dataset; empty if it has only one.
    """
    folder = local(root)
    if folder is None or not config or not any(Path(folder, config).glob("*.parquet")):
        return folder or root, config or None
    from datasets import get_dataset_config_names

    try:
        named = config in get_dataset_config_names(folder)
    except Exception:  # an invalid README, files of several kinds
        named = False
    return (folder, config) if named else (str(Path(folder, config)), None)


def files_of(root: str, config: str) -> dict[str, list[Path]]:
    """Return the files of a dataset folder's configuration, by split.

    Raises:
        DataError: `datasets` cannot load the dataset.
    """
    from datasets import load_dataset_builder

    path, name = located(root, config)
    try:
        builder = load_dataset_builder(path, name, cache_dir=cache_of(root))
        found = builder.config.data_files or {}
        return {str(split): [Path(file) for file in files] for split, files in found.items()}
    except Exception as error:  # `datasets` raises many types of errors
        raise DataError(
            f"The dataset could not be loaded ({reason_of(error)}). Received: {root}, configuration {config}"
        ) from None


def local(root: str) -> str | None:
    """Return the path of a local dataset folder; None if ``root`` is not a folder."""
    folder = expanded(root)
    return str(folder) if folder.is_dir() else None


def cache_of(root: str) -> str | None:
    """Return a cache folder for `datasets` that changes with the content of a local folder.

    By default `datasets` identifies a local folder by its name and README, so its cache may return the
    content of another folder of that name, or of this one before files changed.

    Returns:
        The cache folder; None (the default of `datasets`) if ``root`` is not a local folder.
    """
    if (path := local(root)) is None:
        return None
    from datasets import config

    folder = Path(path).resolve()
    files = sorted(
        (str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    )
    digest = hashlib.sha256(repr((str(folder), files)).encode()).hexdigest()[:16]
    return str(Path(config.HF_DATASETS_CACHE) / "smartbreed" / f"{folder.name}-{digest}")


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message, at most 200 characters; its type if it has no message."""
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(". ") if lines else type(error).__name__


def encoded(row: dict[str, Any], image: str = "image") -> bytes:
    """Return the encoded picture of a row.

    Raises:
        PhotoError: the row has no picture, or its file cannot be read.
    """
    picture = row[image] or {}
    if picture.get("bytes") is not None:
        return bytes(picture["bytes"])
    if not picture.get("path"):
        raise PhotoError("no_photo", "There is no picture in this row.")
    try:
        return Path(picture["path"]).read_bytes()
    except OSError:
        raise PhotoError("unreadable", "The file could not be read.") from None


def decode(raw: bytes) -> np.ndarray:
    """Decode a picture as the app does, upright and in sRGB: uint8 ``(height, width, 3)``.

    Raises:
        PhotoError: the bytes are not a picture, or a damaged one.
    """
    return read_photo(raw).pixels


def place_of(row: dict[str, Any], split: str, number: int, image: str = "image") -> str:
    """Return the path of a row's file, or its split and number if it has none."""
    return str((row[image] or {}).get("path") or f"{split}-{number:05d}")


def box_list(value: Any) -> list[Box]:
    """Parse a cell that holds one box, a list of boxes, or nothing.

    Raises:
        DataError: the cell holds something that is not a box.
    """
    if value is None:
        return []
    several = isinstance(value, (list, tuple)) and all(isinstance(box, (list, tuple)) for box in value)
    return [_box(box) for box in (value if several else [value])]


def _box(value: Any) -> Box:
    numbers = value if isinstance(value, (list, tuple)) else ()
    if len(numbers) != 4 or not all(isinstance(side, (int, float)) for side in numbers):
        raise DataError(f"A box is four numbers: x0, y0, x1, y1 in pixels. Received: {value}")
    x0, y0, x1, y1 = (float(side) for side in numbers)
    return x0, y0, x1, y1


_NUMBERS = {"cat": 0, "cats": 0, "0": 0, "dog": 1, "dogs": 1, "1": 1, "": -1, "-1": -1}


def species_number(value: Any, names: Sequence[str] | None = None) -> int:
    """Return 0 for a cat, 1 for a dog, -1 if the source does not say.

    Args:
        value: a text such as ``cat`` or ``Dog``, 0, 1, nothing, or an index into ``names``.
        names: names of a ClassLabel; None if the column holds plain texts or numbers.

    Raises:
        DataError: the value is none of these.
    """
    if value is None or value != value:  # a missing number is NaN, which does not equal itself
        return -1
    if names and not isinstance(value, str) and 0 <= int(value) < len(names):
        value = names[int(value)]
    text = (
        value.strip().lower() if isinstance(value, str) else str(int(value) if value == int(value) else value)
    )
    if text not in _NUMBERS:
        raise DataError(f"A species is cat (or 0), dog (or 1), or left empty. Received: {value}")
    return _NUMBERS[text]
