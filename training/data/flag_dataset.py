"""Read the rows of a dataset of flags, from a repo at one revision or from a folder.

Files that are not shards of this schema are skipped and reported. Photos stay in their files until they are
read (`Stored`), so only the row groups in use are in memory; row groups without an accepted photo are never
loaded.
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

#: Files that every dataset repo has beside its shards; not reported as skipped.
_USUAL = ("README.md", ".gitattributes")
#: Largest size of a shard in bytes; the publisher's own shards stay far below it.
_MOST_BYTES = 2_000_000_000
#: Row groups kept in memory: the current one, and the next if a second thread has already reached it.
_OPEN = 2


@dataclass(frozen=True)
class Rows:
    """The flags and decisions of a dataset.

    Attributes:
        revision: full commit sha that was read; empty for a folder or if the repo does not exist yet.
        flags, reviews: rows as dictionaries, unique by ``flag_id`` and by ``decision_id``; the ``image`` of a
            flag is a `Stored`.
        skipped: a sentence about each skipped file.
    """

    revision: str
    flags: list[dict[str, Any]] = field(repr=False)
    reviews: list[dict[str, Any]] = field(repr=False)
    skipped: list[str]


class Photos:
    """Reads photos from shards on this disk; thread-safe."""

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._guard = threading.Lock()
        self._open: dict[tuple[int, int], list[bytes]] = {}

    def add(self, path: Path) -> int:
        """Register a shard, which must stay at its path, and return its number."""
        self._paths.append(path)
        return len(self._paths) - 1

    def read(self, shard: int, group: int, row: int) -> bytes:
        """Return the photo of a row of a row group.

        Raises:
            PhotoError: the shard is missing or damaged.
        """
        with self._guard:
            if (shard, group) not in self._open:
                while len(self._open) >= _OPEN:
                    del self._open[next(iter(self._open))]
                self._open[shard, group] = _photos(self._paths[shard], group)
            return self._open[shard, group][row]


@dataclass(frozen=True)
class Stored:
    """A reference to a photo: row ``row`` of row group ``group`` of shard number ``shard``."""

    photos: Photos
    shard: int
    group: int
    row: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Sort key: photos read in this order load one row group at a time."""
        return self.shard, self.group, self.row

    def read(self) -> bytes:
        """Return the bytes of the photo's file.

        Raises:
            PhotoError: the shard is missing or damaged.
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
    """Read every shard of a dataset repo at one revision, except the photos.

    A repo that does not exist has no rows and is reported in ``skipped``.

    Args:
        api: client from `smartbreed.hub.client.connect`.
        repo: ``owner/name``.
        folder: where shards of flags are downloaded to; must exist as long as their photos are needed.
        revision: branch, tag or commit.
        progress: called with the number of files read and the number of all files.

    Raises:
        HubCallError: a request to the Hub failed.
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
            # If the publisher was interrupted, two shards may hold the same row; the copies are equal.
            rows[config].setdefault(str(row[KEYS[config]]), row)
    progress(len(files), len(files))
    return Rows(sha, list(rows["flags"].values()), list(rows["reviews"].values()), skipped)


def read_folder(folder: Path) -> Rows:
    """Read every shard of a dataset of flags in a local folder, such as a download; revision is empty."""
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
