"""Build shards: seal waiting rows into a parquet file, rebuild a lost file, replace a shard's content.

When rows are sealed, the file is written first and the rows are claimed after it. Files are written
by pyarrow with the pinned schema. A file that is read may come from another writer, so nothing in it
is trusted beyond what pyarrow itself checks.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.breeds.catalogue import resolve
from smartbreed.core.database import read, write
from smartbreed.core.errors import StorageError
from smartbreed.dataset.schema import (
    KEYS,
    SCHEMA_VERSION,
    arrow_schema,
    has_schema,
    shard_path,
    shard_version,
    version_of,
)
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.sources import Row, RowSource, Unusable
from smartbreed.dataset.tables import Erasure, ParkedRow, Shard, ShardRow
from smartbreed.feedback.blobs import BlobStore

#: Rows per row group, which is what a streaming reader holds in memory at once.
_GROUP = 64


class Packed(NamedTuple):
    """A shard's content, and the facts about it that the dataset card shows."""

    data: bytes
    facts: dict[str, Any]


def pack(config: str, rows: Sequence[Row], version: int = SCHEMA_VERSION) -> Packed:
    """Write rows as one parquet file of a schema version; columns that the version lacks are left out."""
    import pyarrow as pa

    schema = arrow_schema(config, version)
    return _packed(config, pa.Table.from_pylist(list(rows), schema=schema))


def only(config: str, data: bytes, kept: Iterable[str]) -> Packed | None:
    """Return a shard's file reduced to the rows with the ids `kept`; None if it has none of them.

    Raises:
        ValueError: the file is not a shard of a known schema; another writer has changed it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise ValueError("no readable parquet file") from error
    version = version_of(table.schema, config)
    if version is None:
        raise ValueError("another schema")
    wanted = pc.is_in(table[KEYS[config]], pa.array(sorted(set(kept)), pa.string()))
    table = table.filter(wanted).replace_schema_metadata(arrow_schema(config, version).metadata)
    return _packed(config, table) if table.num_rows else None


def inspect(config: str, file: Path) -> dict[str, Any]:
    """Read the facts that the card shows from a shard that another writer made.

    Raises:
        ValueError: the file is not a shard of a known schema; the message says how it differs.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            found = opened.schema_arrow
            if not has_schema(found, config):
                wanted = arrow_schema(config)
                more = sorted(set(found.names) - set(wanted.names))
                less = sorted(set(wanted.names) - set(found.names))
                how = [f"has {', '.join(more[:5])}"] if more else []
                how += [f"lacks {', '.join(less[:5])}"] if less else []
                raise ValueError("another schema: it " + (" and ".join(how) or "has other types"))
            columns = [name for name in _COUNTED if name in found.names]
            return _facts(config, opened.read(columns=columns))
    except (pa.ArrowException, OSError) as error:
        raise ValueError("not a readable parquet file") from error


def new_path(config: str, ids: Iterable[str], moment: dt.datetime) -> str:
    """Return the path of a shard with these rows; a hash of their ids tells shards of one second apart."""
    mark = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:12]
    return shard_path(config, moment.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ"), mark)


#: Columns from which facts are counted.
_COUNTED = ("label", "verdict", "decision", "species", "predicted")


def _packed(config: str, table: Any) -> Packed:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    # Photos are compressed already; zstd is for the text columns.
    compression = {name: "zstd" for name in table.schema.names if name != "image"}
    compression |= {"image.bytes": "none", "image.path": "zstd"} if "image" in table.schema.names else {}
    pq.write_table(table, sink, row_group_size=_GROUP, compression=compression)
    return Packed(sink.getvalue().to_pybytes(), _facts(config, table))


def _facts(config: str, table: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"rows": table.num_rows}
    for column, name in (("label", "labels"), ("verdict", "verdicts"), ("decision", "decisions")):
        if column in table.schema.names and (column != "label" or config == "flags"):
            counted = Counter(value for value in table[column].to_pylist() if value)
            facts[name] = dict(sorted(counted.items()))
    if config == "flags":
        rows = table.select(["species", "label", "predicted"]).to_pylist()
        facts["species"] = dict(sorted(Counter(filter(None, map(_species, rows))).items()))
    return facts


def _species(row: Mapping[str, str | None]) -> str:
    """Return what a flag is about: ``cat``, ``dog``, ``none`` for other things, or "" if it names nothing."""
    named = [name for name in (row["label"], row["predicted"]) if name]
    found = [breed.species for breed in map(resolve, named) if breed]
    return row["species"] or next(iter(found), "") or ("none" if named else "")


#: Largest shard: rows, and bytes of their photos (a single larger photo gets a shard of its own).
MOST_ROWS = 500
MOST_BYTES = 64_000_000
#: Parked rows that are checked again per run.
_AGAIN = 1000


def build_next(source: RowSource, shard_store: ShardStore, store: BlobStore) -> Shard | None:
    """Seal the oldest waiting rows of a source; return None if no row can be published.

    Raises:
        StorageError: disk or database refused; no row is claimed.
    """
    while True:
        with read(shard_store.sessions) as session:
            ids = source.waiting(session, MOST_ROWS)
        if not ids:
            return None
        rows, unusable = _gather(source, shard_store, ids)
        packed = pack(source.config, list(rows.values())) if rows else None
        if packed:
            store.put(packed.data)
        made = _claim(source, shard_store, rows, unusable, packed)
        if made is not None:
            return made
        if packed:  # another process was faster, or a row was withdrawn
            store.delete(hashlib.sha256(packed.data).hexdigest())


def rebuild(shard: Shard, shard_store: ShardStore, store: BlobStore) -> bool:
    """Rebuild a sealed shard's lost file from its rows; park rows whose photo is gone.

    The path stays the same, so that each row is in one file only, whatever an earlier attempt did.

    Returns:
        False if the shard was changed meanwhile.

    Raises:
        StorageError: disk or database refused.
    """
    source, ids = shard_store.sources[shard.config], shard_store.rows(shard)
    shard_store.reopen([shard])  # rows marked as published would not be gathered
    rows, unusable = _gather(source, shard_store, ids, capped=False)
    with read(shard_store.sessions) as session:
        leaving = set(source.to_remove(session))
    if set(ids) - set(rows) - set(unusable) - leaving:
        return False  # another process has published them meanwhile
    packed = pack(shard.config, list(rows.values()), shard_version(shard.path)) if rows else None
    if packed:
        store.put(packed.data)
    gone = sorted(set(ids) - set(rows))
    # The old content may have been uploaded, or even committed without a confirmation.
    if not replace(shard_store, shard, packed, gone, erase=[shard.sha256] if gone else ()):
        return False
    if unusable:
        with write(shard_store.sessions) as session:
            _park(session, source.config, unusable, shard_store)
    return True


def restore(shard: Shard, shard_store: ShardStore, store: BlobStore, data: bytes) -> bool:
    """Recreate a shard's lost file from the file at its path on the Hub, without the photos.

    Args:
        shard: the shard whose file is lost.
        shard_store: the publishing records.
        store: store of the shards' files.
        data: the file on the Hub; it may hold rows that were taken out since.

    Returns:
        False if another writer has changed the Hub's file, it lacks rows, or the shard was changed meanwhile.

    Raises:
        StorageError: disk or database refused.
    """
    ids = shard_store.rows(shard)
    try:
        packed = only(shard.config, data, ids)
    except ValueError:
        return False
    if packed is None or packed.facts["rows"] != len(ids):
        return False
    store.put(packed.data)
    return replace(shard_store, shard, packed, [])


def _gather(
    source: RowSource, shard_store: ShardStore, ids: list[str], *, capped: bool = True
) -> tuple[dict[str, Row], dict[str, str]]:
    """Return rows by id, as many as fit in one shard, and by id what is wrong with unusable ones.

    Args:
        capped: whether to stop at `MOST_BYTES` of photos.
    """
    rows: dict[str, Row] = {}
    unusable: dict[str, str] = {}
    size = 0
    for row_id in ids:
        with read(shard_store.sessions) as session:
            try:
                row = source.row(session, row_id)
            except Unusable as error:
                unusable[row_id] = str(error)
                continue
        if row is None:
            continue
        weight = len(row["image"]["bytes"]) if "image" in row else 0
        if capped and rows and size + weight > MOST_BYTES:
            break
        rows[row_id] = row
        size += weight
    return rows, unusable


def _claim(
    source: RowSource,
    shard_store: ShardStore,
    rows: dict[str, Row],
    unusable: dict[str, str],
    packed: Packed | None,
) -> Shard | None:
    now, ids = shard_store.clock(), sorted(rows)
    with write(shard_store.sessions) as session:
        _park(session, source.config, unusable, shard_store)
        if packed is None:
            return None
        taken = sa.select(ShardRow.row_id).where(ShardRow.config == source.config, ShardRow.row_id.in_(ids))
        if source.still_waiting(session, ids) != set(ids) or session.scalars(taken).first() is not None:
            return None
        shard = Shard(
            config=source.config,
            target=shard_store.target,
            disk=shard_store.disk,
            path=new_path(source.config, ids, now),
            sha256=hashlib.sha256(packed.data).hexdigest(),
            size=len(packed.data),
            rows=len(ids),
            facts=json.dumps(packed.facts),
            state="sealed",
            sealed_at=now,
        )
        session.add(shard)
        session.flush()
        session.add_all(ShardRow(config=source.config, row_id=row_id, shard_id=shard.id) for row_id in ids)
        session.execute(
            sa.delete(ParkedRow).where(ParkedRow.config == source.config, ParkedRow.row_id.in_(ids))
        )
    return shard


def _park(session: Session, config: str, unusable: dict[str, str], shard_store: ShardStore) -> None:
    for row_id, reason in unusable.items():
        session.merge(
            ParkedRow(config=config, row_id=row_id, reason=reason[:300], parked_at=shard_store.clock())
        )


def free_parked(source: RowSource, shard_store: ShardStore) -> None:
    """Unpark rows whose photo is back, as after a restored backup, and rows that no longer wait."""
    with read(shard_store.sessions) as session:
        parked = list(
            session.scalars(
                sa.select(ParkedRow.row_id).where(ParkedRow.config == source.config).limit(_AGAIN)
            )
        )
        waiting = source.still_waiting(session, parked) if parked else set()
        free = [row for row in parked if row not in waiting or source.usable(row, session)]
    if free:
        with write(shard_store.sessions) as session:
            session.execute(
                sa.delete(ParkedRow).where(ParkedRow.config == source.config, ParkedRow.row_id.in_(free))
            )


def sweep(shard_store: ShardStore, store: BlobStore, older_than_s: float = 3600.0) -> int:
    """Delete shard files that are not needed any more, and unfinished ones.

    A file is needed while a shard with its content is not published.

    Args:
        shard_store: the publishing records.
        store: store of the shards' files.
        older_than_s: smallest age in seconds of the files to delete.

    Returns:
        Number of deleted files, without unfinished ones.

    Raises:
        StorageError: the disk refused.
    """
    store.sweep_tmp(older_than_s)
    gone = 0
    for name in store.older_than(older_than_s):
        with read(shard_store.sessions) as session:
            needed = session.scalar(
                sa.select(Shard.id).where(Shard.sha256 == name, Shard.state != "published")
            )
        if needed is None:
            gone += store.delete(name)
    return gone


def stored(store: BlobStore, shard: Shard) -> bytes | None:
    """Return the content of a shard's file; None if it is missing or damaged."""
    try:
        return store.get(shard.sha256) if shard.sha256 else None
    except StorageError:
        return None


def replace(
    shard_store: ShardStore,
    shard: Shard,
    packed: Packed | None,
    removed: Sequence[str],
    *,
    erase: Collection[str | None] = (),
) -> bool:
    """Give a shard new content, after rows were taken out of it or its file was rebuilt.

    The shard belongs to this disk from now on, because this disk has the new content.

    Args:
        shard_store: the publishing records.
        shard: the shard as it was read.
        packed: the new content; None if no row is left.
        removed: ids of rows that are not in it any more.
        erase: sha256 of contents to erase from the repo's history; None and "" are ignored.

    Returns:
        False if the shard was changed meanwhile.
    """
    with write(shard_store.sessions) as session:
        current = session.get(Shard, shard.id)
        if current is None or current.sha256 != shard.sha256:
            return False
        _drop_rows(session, shard, removed)
        new = hashlib.sha256(packed.data).hexdigest() if packed else ""
        _note_erasures(shard_store, session, shard.path, set(erase) - {new})
        # This content is wanted now: an erasure requested earlier would delete the live file.
        session.execute(sa.delete(Erasure).where(Erasure.sha256 == new, Erasure.target == shard_store.target))
        current.disk, current.sha256 = shard_store.disk, new
        current.size, current.rows = (len(packed.data), packed.facts["rows"]) if packed else (0, 0)
        current.facts = json.dumps(packed.facts if packed else {})
        current.state, current.problem = "sealed", None
    return True


def forget_rows(shard_store: ShardStore, shard: Shard, removed: Sequence[str]) -> None:
    """Drop withdrawn rows of a shard whose file was deleted on the Hub; only its history is left to erase."""
    with write(shard_store.sessions) as session:
        _drop_rows(session, shard, removed)
        _note_erasures(shard_store, session, shard.path, [shard.sha256])


def _drop_rows(session: Session, shard: Shard, removed: Sequence[str]) -> None:
    session.execute(sa.delete(ShardRow).where(ShardRow.config == shard.config, ShardRow.row_id.in_(removed)))


def _note_erasures(
    shard_store: ShardStore, session: Session, path: str, contents: Collection[str | None]
) -> None:
    for sha256 in set(contents) - {None, ""}:
        # Merged: content that was erased before and has come back must be erased again.
        session.merge(
            Erasure(
                sha256=sha256,
                target=shard_store.target,
                path=path,
                asked_at=shard_store.clock(),
                done_at=None,
            )
        )
