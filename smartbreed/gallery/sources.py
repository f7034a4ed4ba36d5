"""Where a gallery's photographs come from: a folder of folders, or anything that ``load_dataset`` reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smartbreed.core.errors import RequestError
from smartbreed.core.files import expanded

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".heic", ".heif", ".avif", ".tif", ".tiff")
_LABELS = ("breed", "label", "labels", "class")
#: ``n02085620-Chihuahua``: how folders of ImageNet's relatives are named.
_SYNSET = re.compile(r"^n\d{8}-")


@dataclass(frozen=True)
class Found:
    """One photograph: its bytes or its file, and what the source says that it shows."""

    photo: bytes | Path
    label: str


@dataclass(frozen=True)
class Source:
    """A source.

    Attributes:
        name: what it is called, without the folders above it.
        photos: one after the other, always in the same order.
        total: how many, where that is known.
    """

    name: str
    photos: Iterator[Found]
    total: int | None


def open_source(where: str, config: str = "", split: str = "") -> Source:
    """Open a source.

    Args:
        where: a folder with a folder for each breed, a folder of a dataset (parquet, …), or the id of a
            dataset repo.
        config, split: of a dataset; empty: its only or first one.

    Raises:
        RequestError: ``no_source``: there is nothing like that.
    """
    local = expanded(where)
    if local.is_dir() and not any(local.rglob("*.parquet")):
        files = list(_files(local))
        if not files:
            raise RequestError(
                "no_source", "This folder holds no folders with pictures. Make a folder for each breed."
            )
        photos = (Found(path, _SYNSET.sub("", path.parent.name)) for path in files)
        return Source(local.resolve().name, photos, len(files))
    try:
        rows = _rows(str(local) if local.exists() else where, config, split)
    except RequestError:
        raise
    except Exception as error:  # whatever a Hub or a foreign dataset may throw
        text = str(error).strip().partition("\n")[0][:200]
        raise RequestError(
            "no_source", f"This dataset cannot be read ({type(error).__name__}): {text}"
        ) from None
    return Source(local.resolve().name if local.exists() else where, *rows)


def _files(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        if Path(here) != folder:
            yield from (Path(here, name) for name in sorted(names) if name.lower().endswith(PICTURES))


def _rows(where: str, config: str, split: str) -> tuple[Iterator[Found], int | None]:
    # Takes seconds to import.
    from datasets import ClassLabel, Image, get_dataset_config_names, load_dataset

    configs = get_dataset_config_names(where)
    if config and config not in configs:
        raise RequestError(
            "no_source", f"This dataset has no configuration {config!r}; it has {', '.join(configs)}."
        )
    name = config or ("default" if "default" in configs else configs[0])
    splits = load_dataset(where, name, streaming=True)
    if split and split not in splits:
        raise RequestError("no_source", f"This dataset has no split {split!r}; it has {', '.join(splits)}.")
    chosen = [splits[split]] if split else list(splits.values())
    features = chosen[0].features or {}
    picture = next((key for key, feature in features.items() if isinstance(feature, Image)), "")
    label = next((key for key in _LABELS if key in features), "")
    if not picture or not label:
        raise RequestError(
            "no_source",
            f"A gallery needs pictures and a column {' or '.join(_LABELS[:2])}; this dataset has none.",
        )
    said = features[label]

    def photos() -> Iterator[Found]:
        for part in chosen:
            for row in part.cast_column(picture, Image(decode=False)):
                value: Any = row[label]
                named = isinstance(said, ClassLabel) and isinstance(value, int)
                text = said.int2str(value) if named else value
                # Never its path: a dataset of others must not name files of this machine.
                yield Found((row[picture] or {}).get("bytes") or b"", str(text or ""))

    counts = [part.info.splits[part.split].num_examples for part in chosen if part.info.splits and part.split]
    return photos(), sum(counts) if len(counts) == len(chosen) and all(counts) else None
