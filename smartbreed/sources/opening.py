"""Open what a text names: a folder, pattern, list, zip, parquet file, address or dataset repo."""

from __future__ import annotations

import glob
import hashlib
import os
import posixpath
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec

from smartbreed.core.errors import RequestError
from smartbreed.core.files import expanded
from smartbreed.core.settings import Settings, load_settings
from smartbreed.hub.client import parse_repo, repo_state
from smartbreed.hub.connection import connect
from smartbreed.hub.retry import hub_errors
from smartbreed.sources.files import entries, is_picture, matches, walk
from smartbreed.sources.items import Item, Remote, Source, no_source
from smartbreed.sources.tables import Tables, dataset_files

#: Fields of a file system's file info that change with the content of a file.
_MARKS = ("size", "mtime", "ETag", "etag", "LastModified", "updated", "created", "blob_id", "sha256")


def open_source(
    where: str, config: str = "", split: str = "", *, settings: Settings | None = None, public: bool = False
) -> Source:
    """Open a source.

    Args:
        where: a folder of photos or of a dataset (parquet), a pattern, a text file with one path or address
            per line, a parquet file, a zip, an address of fsspec such as ``s3://bucket/photos``, or the id of
            a dataset repo ``owner/name[@revision]``.
        config: configuration of a dataset; empty: its only, default or first one.
        split: of that configuration; empty: all splits.
        settings: choose the Hub; None: read from the environment.
        public: accept a dataset repo only if everyone may read it, whatever the token of this site may read.

    Raises:
        RequestError: ``no_source``: nothing like that exists; ``not_installed``: a package is missing.
        HubCallError: the Hub refused.
    """
    if "://" in where and not where.startswith("file://"):
        return _address(where, config, split, settings)
    local = expanded(where.removeprefix("file://"))
    if local.is_dir():
        return _folder(local, config, split)
    if local.is_file():
        return _file(local, config, split, settings)
    if glob.has_magic(where):
        # Addresses that are patterns were passed to their own file system above.
        found = list(matches(where))
        paths = [item.where for item in found if isinstance(item.where, Path)]
        if paths and all(path.suffix == ".parquet" for path in paths):
            return _local_tables(where, [str(path) for path in paths], os.path.commonpath(paths))
        return _listed(where, found, lambda: any(True for _ in glob.iglob(where, recursive=True)))
    if repo := parse_repo(where):
        return _repo(where, *repo, config, split, settings or load_settings(), public)
    raise no_source("There is no such folder, file or pattern, and this is no address or dataset repo.")


def _folder(folder: Path, config: str, split: str) -> Source:
    tables = [str(path) for path in sorted(folder.rglob("*.parquet"))]
    if tables:
        fs = fsspec.filesystem("file")
        root = str(folder)
        return _local_tables(folder.resolve().name, dataset_files(fs, root, tables, config, split), root)

    def exists() -> bool:
        # A disk that is gone may leave its mount point behind as an empty folder.
        return folder.is_dir() and any(True for _ in os.scandir(folder))

    return _listed(folder.resolve().name, list(walk(folder)), exists)


def _file(path: Path, config: str, split: str, settings: Settings | None) -> Source:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        return _local_tables(path.name, [str(path)], str(path))
    if head == b"PK\x03\x04" and not is_picture(path.name):
        return _listed(path.name, entries(path), path.is_file, [path])
    if is_picture(path.name):
        return _listed(path.name, [Item(path.name, path)], path.is_file)
    found = _lines(path.read_bytes(), str(path.parent), lambda protocol: _options(protocol, settings))
    return _listed(path.name, found, lambda: True)


def _local_tables(name: str, files: Sequence[str], root: str) -> Source:
    tables = Tables(fsspec.filesystem("file"), files, root)
    stamp = _digest(_stat(Path(path)) for path in files)
    return Source(name, tables.total, stamp, tables.start_at, lambda: all(map(os.path.exists, files)))


def _address(where: str, config: str, split: str, settings: Settings | None) -> Source:
    protocol = where.partition("://")[0]
    options = _options(protocol, settings)
    try:
        fs, path = fsspec.core.url_to_fs(where, **dict(options))
    except (ImportError, ValueError) as error:
        raise RequestError("not_installed", f"{protocol}:// cannot be read here: {error}.") from None
    return _remote(where, fs, path, Remote(protocol, path, options), config, split)


def _options(protocol: str, settings: Settings | None) -> tuple[tuple[str, Any], ...]:
    """Return the options of a protocol's file system: for ``hf``, the Hub of the settings and its token."""
    if protocol != "hf":
        return ()
    api = connect(settings or load_settings())
    return ("endpoint", api.endpoint), ("token", api.token)


def _repo(
    where: str, repo: str, revision: str, config: str, split: str, settings: Settings, public: bool
) -> Source:
    """Open a dataset repo at the commit that its revision points to now."""
    api = connect(settings)
    if public:
        # The embedded Hub checks no tokens, so the repo's `private` field decides.
        with hub_errors(repo):
            private = api.repo_info(repo, repo_type="dataset", token=False).private
        if private:
            raise no_source("There is no such dataset.")
    state = repo_state(api, repo, "dataset", revision)
    path = f"datasets/{repo}@{state.sha}"
    place = Remote("hf", path, (("endpoint", api.endpoint), ("token", False if public else api.token)))
    return _remote(where, place.fs, path, place, config, split)


def _remote(
    where: str, fs: fsspec.AbstractFileSystem, path: str, place: Remote, config: str, split: str
) -> Source:
    path = path.rstrip("/")
    try:
        if glob.has_magic(path):
            root = posixpath.dirname(path[: path.index("*")] if "*" in path else path)
            found = fs.glob(path, detail=True)
        elif fs.isfile(path):
            root, found = path, {path: fs.info(path)}
        else:
            root, found = path, fs.find(path, detail=True)
    except Exception as error:  # file systems raise anything; messages may contain a key
        raise no_source(f"This address cannot be read ({type(error).__name__}).") from None
    files = sorted(name for name, info in found.items() if info.get("type") == "file")
    tables = [name for name in files if name.endswith(".parquet")]
    stamp = _digest(
        f"{posixpath.relpath(name, root)} {[str(found[name].get(mark)) for mark in _MARKS]}" for name in files
    )

    def exists() -> bool:
        try:
            return bool(fs.exists(root))
        except Exception:
            return False

    def item(name: str, shown: str) -> Item:
        parent = posixpath.dirname(shown)
        return Item(shown, place._replace(path=name), posixpath.basename(parent))

    name = posixpath.basename(path) or where
    if tables:
        chosen = tables if root in tables else dataset_files(fs, root, tables, config, split)
        opened = Tables(fs, chosen, root)
        return Source(name, opened.total, stamp, opened.start_at, exists)
    if files == [path] and path.endswith(".zip"):
        items = entries(place._replace(path=path))
    elif files == [path] and not is_picture(path):
        # Addresses of another protocol are read without the options of this one.
        options = {place.protocol: place.options}
        items = _lines(fs.cat_file(path), where.rpartition("/")[0], lambda other: options.get(other, ()))
    elif files == [path]:
        items = [item(path, posixpath.basename(path))]
    else:
        items = [item(one, posixpath.relpath(one, root)) for one in files if is_picture(one)]
    return _listed(name, items, exists, stamp=stamp)


def _lines(text: bytes, folder: str, options: Callable[[str], tuple[tuple[str, Any], ...]]) -> list[Item]:
    """Read a list of photos, one path or address per line; relative paths start at the list's folder.

    Args:
        text: the list.
        folder: its folder, a path or an address.
        options: returns the options for the file system of a protocol.
    """
    found = []
    known: dict[str, tuple[tuple[str, Any], ...]] = {}
    for line in text.decode("utf-8-sig", "surrogateescape").splitlines():
        name = line.strip()
        if not name:
            continue
        if "://" not in name and "://" in folder:
            name = f"{folder}/{name}"
        if "://" in name:
            protocol, _, rest = name.partition("://")
            path = name if protocol in ("http", "https") else rest
            if protocol not in known:
                known[protocol] = options(protocol)
            found.append(Item(name, Remote(protocol, path, known[protocol])))
        else:
            found.append(Item(name, Path(folder, name)))
    return found


def _listed(
    name: str,
    items: list[Item],
    exists: Callable[[], bool],
    files: Iterable[Path] | None = None,
    stamp: str = "",
) -> Source:
    if not items:
        raise no_source("There is no photo in this source.")
    if not stamp:
        paths = [item.where for item in items if isinstance(item.where, Path)] if files is None else files
        stamp = _digest([*(item.name for item in items), *map(_stat, paths)])
    return Source(name, len(items), stamp, lambda first: islice(items, first, None), exists)


def _stat(path: Path) -> str:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return "missing"
    return f"{found.st_size} {found.st_mtime_ns}"


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()
