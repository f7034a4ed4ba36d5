"""Remove withdrawn and erased rows from sealed and published shards, and from the repo's history.

The shard keeps its path and gets new content. The same transaction records the old content for
erasure. The new content is published like any other shard; then the old one is erased from history.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from smartbreed.core.database import batches, forget_deleted, read, write
from smartbreed.core.errors import StorageError
from smartbreed.dataset.push import Pusher
from smartbreed.dataset.remote import DatasetRepo, facts_of
from smartbreed.dataset.repo_state import same
from smartbreed.dataset.shard_builder import forget_rows, only, rebuild, replace, stored
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.tables import Erasure, Shard, ShardRow
from smartbreed.feedback.blobs import BlobStore


def to_remove(shard_store: ShardStore) -> list[tuple[Shard, list[str]]]:
    """Return the shards of this repo with rows that must leave the dataset, and the ids of those rows.

    Shards of other disks are included: such a disk may be gone, and the Hub has what is published.
    """
    found: list[tuple[Shard, list[str]]] = []
    with read(shard_store.sessions) as session:
        for config, source in shard_store.sources.items():
            query = (
                sa.select(Shard, ShardRow.row_id)
                .join(ShardRow, ShardRow.shard_id == Shard.id)
                .where(ShardRow.config == config, Shard.target == shard_store.target)
            )
            by_shard: dict[str, tuple[Shard, list[str]]] = {}
            for ids in batches(source.to_remove(session)):
                for shard, row_id in session.execute(query.where(ShardRow.row_id.in_(ids))):
                    by_shard.setdefault(shard.id, (shard, []))[1].append(row_id)
            found += by_shard.values()
    return found


def pending_erasures(shard_store: ShardStore) -> list[Erasure]:
    """Return the contents that still have to be erased from the repo's history."""
    with read(shard_store.sessions) as session:
        query = sa.select(Erasure).where(Erasure.target == shard_store.target, Erasure.done_at.is_(None))
        return list(session.scalars(query))


def ready_to_erase(shard_store: ShardStore) -> list[str]:
    """Return the sha256 of each pending erasure whose replacement is on the Hub already."""
    with read(shard_store.sessions) as session:
        query = sa.select(Shard.path).where(Shard.target == shard_store.target, Shard.state != "published")
        unfinished = set(session.scalars(query))
    return [one.sha256 for one in pending_erasures(shard_store) if one.path not in unfinished]


def replaced_contents(shard_store: ShardStore) -> dict[str, str]:
    """Return path by sha256 of every content that was ever replaced in this repo."""
    with read(shard_store.sessions) as session:
        query = sa.select(Erasure.sha256, Erasure.path).where(Erasure.target == shard_store.target)
        return {row.sha256: row.path for row in session.execute(query)}


def note_erased(shard_store: ShardStore, contents: Sequence[str]) -> None:
    """Record that contents are erased from the repo's history."""
    with write(shard_store.sessions) as session:
        session.execute(
            sa.update(Erasure)
            .where(Erasure.target == shard_store.target, Erasure.sha256.in_(contents))
            .values(done_at=shard_store.clock())
        )


def compare(shard_store: ShardStore, pusher: Pusher) -> None:
    """Reopen shards whose old content is back on the Hub: a dead process's delayed request put it there."""
    old = replaced_contents(shard_store)
    if not old:
        return
    files = pusher.view.files
    back = [
        shard
        for shard in shard_store.published()
        if shard.disk == shard_store.disk
        and (file := files.get(shard.path)) is not None
        and file.sha256 in old
        and not same(file, facts_of(shard))
    ]
    shard_store.reopen(back)


def finish(shard_store: ShardStore, pusher: Pusher, *, at_once: bool) -> None:
    """Take over removals that other disks began and left, if they need only what the Hub has."""
    for shard in shard_store.left_unfinished(at_once=at_once):
        if not shard.rows or shard.path in pusher.view.files:
            shard_store.take(shard)


def take_out(remote: DatasetRepo, shard_store: ShardStore, pusher: Pusher, store: BlobStore) -> int:
    """Replace shards that hold withdrawn rows by ones without them; return the number of removed rows.

    Raises:
        HubCallError: a shard's file is only on the Hub, which cannot be reached.
        StorageError: disk or database refused, or another writer has changed the shard's file.
    """
    taken = 0
    for shard, removed in to_remove(shard_store):
        file = pusher.view.files.get(shard.path)
        data = stored(store, shard)
        if data is None and file is not None:
            data = remote.fetch(shard.path, pusher.view.sha)
        if data is None and shard.state == "published":
            forget_rows(shard_store, shard, removed)  # another writer deleted the file
        elif data is None and shard.disk != shard_store.disk:
            continue  # not public yet: left to its own disk, or to the disk that adopts it
        elif data is None:
            # The Hub never had it: rebuild it from the rows that are left.
            rebuild(shard, shard_store, store)
        else:
            try:
                # Select the rows to keep: the Hub's file may still have rows that another disk took out.
                packed = only(shard.config, data, set(shard_store.rows(shard)) - set(removed))
            except ValueError as error:
                raise StorageError(
                    f"{shard.path} holds a withdrawn flag, and another writer has changed it to {error}; "
                    "delete it from the dataset repo."
                ) from error
            if packed:
                store.put(packed.data)
            old = {shard.sha256, file.sha256 if file else None}
            if not replace(shard_store, shard, packed, removed, erase=old):
                continue  # another disk was faster
            if shard.sha256:
                store.delete(shard.sha256)
        taken += len(removed)
    return taken


def erase(remote: DatasetRepo, shard_store: ShardStore) -> None:
    """Erase replaced contents from the repo's history, once the Hub has their replacements."""
    contents = ready_to_erase(shard_store)
    if contents:
        remote.erase(contents)
        note_erased(shard_store, contents)
        forget_deleted(shard_store.sessions)
