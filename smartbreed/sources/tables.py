"""Read parquet files with a column of pictures, and the splits and labels of their dataset."""

from __future__ import annotations

import glob
import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from smartbreed.core.text import read_yaml
from smartbreed.sources.items import Item, no_source

LABELS = ("breed", "label", "labels", "class")
#: Rows read at once; few, because they contain pictures.
_ROWS = 32
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\n---", re.DOTALL)
#: Most patterns of files in the front matter of a README.
_MAX_PATTERNS = 100_000


class Tables:
    """The parquet files of one dataset, read one after another.

    Args:
        fs: file system of the files.
        files: their paths.
        root: folder that all paths are below, or the path of the only file.

    Raises:
        RequestError: ``no_source``: a file cannot be read, or has no column of pictures.
    """

    def __init__(self, fs: fsspec.AbstractFileSystem, files: Sequence[str], root: str) -> None:
        self._fs, self._files, self._root = fs, files, root
        self._rows = []
        for path in files:
            with self._opened(path) as table:
                self._rows.append(table.metadata.num_rows)
                _columns(table.schema_arrow)
        self.total = sum(self._rows)

    def start_at(self, first: int) -> Iterator[Item]:
        """Yield photos from number ``first`` on; files and row groups before it are not read."""
        for path, rows in zip(self._files, self._rows, strict=True):
            if first < rows:
                yield from self._photos(path, first)
            first = max(0, first - rows)

    def _photos(self, path: str, first: int) -> Iterator[Item]:
        stem = posixpath.splitext(posixpath.relpath(path, self._root))[0] if path != self._root else ""
        stem = stem or posixpath.splitext(posixpath.basename(path))[0]
        with self._opened(path) as table:
            picture, label, names = _columns(table.schema_arrow)
            groups: list[int] = []
            number = 0
            for group in range(table.num_row_groups):
                rows = table.metadata.row_group(group).num_rows
                if groups or number + rows > first:
                    groups.append(group)
                else:
                    number += rows
            wanted = [picture, *([label] if label else [])]
            for batch in table.iter_batches(_ROWS, row_groups=groups, columns=wanted):
                for row in batch.to_pylist():
                    if number >= first:
                        yield Item(f"{stem}/{number:08d}", _bytes(row[picture]), _said(row.get(label), names))
                    number += 1

    def _opened(self, path: str) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self._fs.open(path, "rb"))
        except Exception as error:  # a file system or an untrusted file may raise anything
            raise no_source(f"{posixpath.basename(path)} cannot be read ({type(error).__name__}).") from None


def dataset_files(
    fs: fsspec.AbstractFileSystem, root: str, files: Sequence[str], config: str, split: str
) -> list[str]:
    """Return the parquet files of a configuration and split, found by the dataset's README or by file names.

    Args:
        fs: file system of the dataset.
        root: its folder.
        files: its parquet files.
        config: empty: the only, default or first configuration.
        split: empty: all splits.

    Raises:
        RequestError: ``no_source``: there is no such configuration or split.
    """
    below = {posixpath.relpath(path, root): path for path in sorted(files)}
    configs = _configs(fs, root) or {"default": _splits(below)}
    if config and config not in configs:
        raise no_source(f"This dataset has no configuration {config!r}; it has {', '.join(configs)}.")
    splits = configs[config or ("default" if "default" in configs else next(iter(configs)))]
    if split and split not in splits:
        raise no_source(f"This dataset has no split {split!r}; it has {', '.join(splits)}.")
    patterns = splits[split] if split else [pattern for some in splits.values() for pattern in some]
    found = [path for pattern in patterns for name, path in below.items() if fnmatch(name, pattern)]
    return list(dict.fromkeys(found))


def _configs(fs: fsspec.AbstractFileSystem, root: str) -> dict[str, dict[str, list[str]]]:
    """Read ``configs`` from the README's front matter: configuration → split → patterns; empty if none."""
    try:
        text = fs.cat_file(f"{root}/README.md").decode("utf-8", "replace")
        head = read_yaml((_FRONT_MATTER.search(text) or [""] * 2)[1]) or {}
        found: dict[str, dict[str, list[str]]] = {}
        left = _MAX_PATTERNS
        for one in head.get("configs", []):
            splits = found[str(one["config_name"])] = {}
            for part in one["data_files"]:
                patterns = [part["path"]] if isinstance(part["path"], str) else list(part["path"])
                left -= 1 + len(patterns)
                if left < 0:  # YAML aliases can repeat a list any number of times
                    return {}
                splits[str(part["split"])] = patterns
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _splits(names: dict[str, str]) -> dict[str, list[str]]:
    """Group files by the start of their names: ``data/train-00000-of-00001.parquet`` is of ``train``.

    Returns:
        Split → patterns, each of which matches one file.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        start = re.match(r"[^-.]*", posixpath.basename(name))
        found.setdefault(start[0] if start else "train", []).append(glob.escape(name))
    return found


def _columns(schema: pa.Schema) -> tuple[str, str, list[str]]:
    """Return the column of pictures, that of labels ("" if none), and the names of numeric labels."""
    features = _features(schema)
    pictures = [
        field.name
        for field in schema
        if features.get(field.name, {}).get("_type") == "Image"
        or (pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
        or pa.types.is_binary(field.type)
        or pa.types.is_large_binary(field.type)
    ]
    if not pictures:
        raise no_source("This table has no column of pictures.")
    label = next((name for name in LABELS if name in schema.names), "")
    names = features.get(label, {}).get("names")
    return pictures[0], label, [str(name) for name in names] if isinstance(names, list) else []


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return what `datasets` recorded of columns that are no lists; empty if it recorded nothing usable."""
    try:
        said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: feature for name, feature in said.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _bytes(value: Any) -> bytes:
    # Never read its path: an untrusted dataset must not name files of this machine.
    return (value.get("bytes") if isinstance(value, dict) else value) or b""


def _said(value: Any, names: list[str]) -> str:
    if value is None or (names and isinstance(value, int) and value < 0):  # `datasets` writes -1 for no label
        return ""
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else str(value)
