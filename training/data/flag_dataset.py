"""The rows of the dataset repo at one revision; what is not ours there is passed over and reported.

Photos stay in their files until one is read (`Stored`): of a dataset of any size, only
the row group that is being looked at is in memory, and of rejected photos nothing ever is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartbreed.core.errors import HubCallError, PhotoError
from smartbreed.dataset.schema import KEYS, has_schema, shard_config
from smartbreed.hub.client import download_file, list_files, repo_state

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: Files of every dataset repo that are no shards and no surprise.
_USUAL = ("README.md", ".gitattributes")
#: Larger shards are not ours: ours are sealed far below.
_MOST_BYTES = 2_000_000_000
#: Row groups kept in memory: the present one, and where a second thread is already ahead.
_OPEN = 2


@dataclass(frozen=True)
class Rows:
    """What a dataset repo holds.

    Attributes:
        revision: full commit sha it was read at; empty when the repo is not there yet.
        flags, reviews: rows as dictionaries, one a ``flag_id`` and one a ``decision_id``; the ``image``
            of a flag is a `Stored`.
        skipped: a sentence about each file that was passed over.
    """

    revision: str
    flags: list[dict[str, Any]] = field(repr=False)
    reviews: list[dict[str, Any]] = field(repr=False)
    skipped: list[str]


class Photos:
    """The photos of shards on this disk; safe to use from many threads."""

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._guard = threading.Lock()
        self._open: dict[tuple[int, int], list[bytes]] = {}

    def add(self, path: Path) -> int:
        """Number of a shard, which must stay where it is."""
        self._paths.append(path)
        return len(self._paths) - 1

    def read(self, shard: int, group: int, row: int) -> bytes:
        """The photo of a row of a row group.

        Raises:
            PhotoError: the shard is gone or damaged.
        """
        with self._guard:
            if (shard, group) not in self._open:
                while len(self._open) >= _OPEN:
                    del self._open[next(iter(self._open))]
                self._open[shard, group] = _photos(self._paths[shard], group)
            return self._open[shard, group][row]


@dataclass(frozen=True)
class Stored:
    """A photo where it lies: row ``row`` of row group ``group`` of a shard."""

    photos: Photos
    shard: int
    group: int
    row: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Photos read in this order are read one row group at a time."""
        return self.shard, self.group, self.row

    def read(self) -> bytes:
        """The photo's file.

        Raises:
            PhotoError: the shard is gone or damaged.
        """
        return self.photos.read(self.shard, self.group, self.row)


def read_dataset(
    api: HfApi,
    repo: str,
    folder: Path,
    revision: str = "main",
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Rows:
    """Read every shard of a revision, but for the photos.

    Args:
        api: from `smartbreed.hub.client.connect`.
        repo: ``owner/name``.
        folder: shards of flags are kept there, for as long as their photos are wanted.
        revision: branch, tag or commit.
        progress: how many files are read, of how many.

    Raises:
        HubCallError: the Hub cannot be asked. A repo that is not there has no rows.
    """
    try:
        sha = repo_state(api, repo, "dataset", revision).sha
    except HubCallError as error:
        if error.kind != "no_repo":
            raise
        return Rows("", [], [], [f"There is no dataset repo {repo} yet."])
    rows: dict[str, dict[str, dict[str, Any]]] = {"flags": {}, "reviews": {}}
    skipped: list[str] = []
    photos = Photos()
    files = sorted(list_files(api, repo, "dataset", sha).values(), key=lambda file: file.path)
    for number, file in enumerate(files):
        progress(number, len(files))
        config = shard_config(file.path)
        if config is None or file.size > _MOST_BYTES:
            if file.path not in _USUAL:
                skipped.append(f"{file.path} is no shard of ours.")
            continue
        path = download_file(api, repo, "dataset", file.path, sha, folder)
        found = _rows(path, config, photos)
        if found is None or config == "reviews":
            path.unlink()
        if found is None:
            skipped.append(f"{file.path} has another schema, or cannot be read.")
            continue
        for row in found:
            # The same row in two shards: the publisher was interrupted; they are equal.
            rows[config].setdefault(str(row[KEYS[config]]), row)
    progress(len(files), len(files))
    return Rows(sha, list(rows["flags"].values()), list(rows["reviews"].values()), skipped)


def read_folder(folder: Path) -> Rows:
    """Read every shard of a dataset of flags on this disk, such as a download of one; revision is empty."""
    rows: dict[str, dict[str, dict[str, Any]]] = {"flags": {}, "reviews": {}}
    skipped: list[str] = []
    photos = Photos()
    for path in sorted(folder.rglob("*.parquet")):
        name = path.relative_to(folder).as_posix()
        config = shard_config(name)
        found = None if config is None else _rows(path, config, photos)
        if config is None or found is None:
            skipped.append(f"{name} is no shard of ours, or cannot be read.")
            continue
        for row in found:
            rows[config].setdefault(str(row[KEYS[config]]), row)
    return Rows("", list(rows["flags"].values()), list(rows["reviews"].values()), skipped)


def _rows(path: Path, config: str, photos: Photos) -> list[dict[str, Any]] | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if not has_schema(file.schema_arrow, config):
                return None
            if config == "reviews":
                return list(file.read().to_pylist())
            columns = [name for name in file.schema_arrow.names if name != "image"]
            groups = [
                file.read_row_group(group, columns=columns).to_pylist()
                for group in range(file.num_row_groups)
            ]
    except (pa.ArrowException, OSError, ValueError):
        return None
    shard = photos.add(path)
    return [
        {**row, "image": Stored(photos, shard, group, place)}
        for group, rows in enumerate(groups)
        for place, row in enumerate(rows)
    ]


def _photos(path: Path, group: int) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            column = file.read_row_group(group, columns=["image"])["image"]
        return [(value or {}).get("bytes") or b"" for value in column.to_pylist()]
    except (pa.ArrowException, OSError, ValueError):
        raise PhotoError("damaged", "The file of the dataset that holds this photo cannot be read.") from None
