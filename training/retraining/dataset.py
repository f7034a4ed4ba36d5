"""The rows of the dataset repo at one revision; what is not ours there is passed over and reported."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartbreed.errors import HubCallError
from smartbreed.feedback.schema import KEYS, has_schema, shard_config
from smartbreed.hub.client import download_file, list_files, repo_state

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: Files of every dataset repo that are no shards and no surprise.
_USUAL = ("README.md", ".gitattributes")
#: Larger shards are not ours: ours are sealed far below.
_MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Rows:
    """What a dataset repo holds.

    Attributes:
        revision: full commit sha it was read at; empty when the repo is not there yet.
        flags, reviews: rows as dictionaries, one a ``flag_id`` and one a ``decision_id``.
        skipped: a sentence about each file that was passed over.
    """

    revision: str
    flags: list[dict[str, Any]] = field(repr=False)
    reviews: list[dict[str, Any]] = field(repr=False)
    skipped: list[str]


def read_dataset(
    api: HfApi, repo: str, revision: str = "main", *, tell: Callable[[int, int], None] = lambda done, of: None
) -> Rows:
    """Read every shard of a revision; nothing stays on this disk.

    Args:
        api: from `smartbreed.hub.client.connect`.
        repo: ``owner/name``.
        revision: branch, tag or commit.
        tell: how many files are read, of how many.

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
    files = sorted(list_files(api, repo, "dataset", sha).values(), key=lambda file: file.path)
    with tempfile.TemporaryDirectory(prefix="smartbreed-") as folder:
        for number, file in enumerate(files):
            tell(number, len(files))
            config = shard_config(file.path)
            if config is None or file.size > _MOST_BYTES:
                if file.path not in _USUAL:
                    skipped.append(f"{file.path} is no shard of ours.")
                continue
            path = download_file(api, repo, "dataset", file.path, sha, Path(folder))
            found = _rows(path, config)
            path.unlink()
            if found is None:
                skipped.append(f"{file.path} has another schema, or cannot be read.")
                continue
            for row in found:
                # The same row in two shards: the publisher was interrupted; they are equal.
                rows[config].setdefault(str(row[KEYS[config]]), row)
        tell(len(files), len(files))
    return Rows(sha, list(rows["flags"].values()), list(rows["reviews"].values()), skipped)


def _rows(path: Path, config: str) -> list[dict[str, Any]] | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if not has_schema(file.schema_arrow, config):
                return None
            return list(file.read().to_pylist())
    except (pa.ArrowException, OSError, ValueError):
        return None
