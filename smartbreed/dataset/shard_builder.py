"""From waiting rows to a sealed shard: the file first, then the claim, in one transaction each."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import read, write
from smartbreed.core.errors import StorageError
from smartbreed.dataset.schema import shard_version
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.shards import Packed, new_path, only, pack
from smartbreed.dataset.sources import Row, RowSource, Unusable
from smartbreed.dataset.tables import ParkedRow, Shard, ShardRow
from smartbreed.dataset.withdrawals import replace
from smartbreed.feedback.blobs import BlobStore

#: Largest shard: rows, and bytes of their photos (one larger photo is alone in its shard).
MOST_ROWS = 500
MOST_BYTES = 64_000_000
_AGAIN = 1000


def build_next(source: RowSource, shard_store: ShardStore, store: BlobStore) -> Shard | None:
    """Seal the oldest waiting rows; None when there are none that can be published.

    Raises:
        StorageError: disk or database refused; nothing is claimed.
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
        if packed:  # somebody was faster, or took a row back
            store.delete(hashlib.sha256(packed.data).hexdigest())


def rebuild(shard: Shard, shard_store: ShardStore, store: BlobStore) -> bool:
    """Make a sealed shard's lost file again from its rows; rows whose photo is gone are parked.

    The path stays, so that whatever became of an earlier attempt, each row is in one file only.

    Returns:
        False when the shard was changed meanwhile.

    Raises:
        StorageError: disk or database refused.
    """
    source, ids = shard_store.sources[shard.config], shard_store.rows(shard)
    rows, unusable = _gather(source, shard_store, ids, capped=False)
    packed = pack(shard.config, list(rows.values()), shard_version(shard.path)) if rows else None
    if packed:
        store.put(packed.data)
    gone = sorted(set(ids) - set(rows))
    # Its old content may have been uploaded, and even committed without our knowing.
    if not replace(shard_store, shard, packed, gone, erase=[shard.sha256] if gone else ()):
        return False
    if unusable:
        with write(shard_store.sessions) as session:
            _park(session, source.config, unusable, shard_store)
    return True


def restore(shard: Shard, shard_store: ShardStore, store: BlobStore, data: bytes) -> bool:
    """Make a shard's lost file again from what the Hub has at its path, without photos.

    Args:
        data: the file there; it may hold rows that were taken out since.

    Returns:
        False when that is not possible: somebody has changed the file, or it lacks rows.

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
    """Rows by id, as many as one shard takes, and what is wrong with others."""
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
    """Rows whose photo has come back (a restored backup) wait again; notes on rows that went go too."""
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
    """Delete files no shard needs any more, and unfinished ones; how many went.

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
    """A shard's file, if it is here and intact."""
    try:
        return store.get(shard.sha256) if shard.sha256 else None
    except StorageError:
        return None
