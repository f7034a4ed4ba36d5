"""Taking withdrawn and erased rows out of what is sealed or published, and out of its history.

A shard keeps its path and gets another content; the old content is noted in the same
transaction, published over like any other shard, and then erased from the repo's history.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from smartbreed.core.database import forget_deleted, read, write
from smartbreed.core.errors import StorageError
from smartbreed.dataset.push import Pusher
from smartbreed.dataset.remote import DatasetRepo, facts_of
from smartbreed.dataset.repo_state import same
from smartbreed.dataset.shard_builder import forget_rows, only, rebuild, replace, stored
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.tables import Erasure, Shard, ShardRow
from smartbreed.feedback.blobs import BlobStore


def to_remove(shard_store: ShardStore) -> list[tuple[Shard, list[str]]]:
    """Shards of this repo with rows that must leave the dataset, and which.

    From whatever disk they came: that one may be gone, and the Hub has what is published.
    """
    found: list[tuple[Shard, list[str]]] = []
    with read(shard_store.sessions) as session:
        for config, source in shard_store.sources.items():
            if not (ids := source.to_remove(session)):
                continue
            rows = session.execute(
                sa.select(Shard, ShardRow.row_id)
                .join(ShardRow, ShardRow.shard_id == Shard.id)
                .where(ShardRow.config == config, ShardRow.row_id.in_(ids))
                .where(Shard.target == shard_store.target)
            )
            by_shard: dict[str, tuple[Shard, list[str]]] = {}
            for shard, row_id in rows:
                by_shard.setdefault(shard.id, (shard, []))[1].append(row_id)
            found += by_shard.values()
    return found


def pending_erasures(shard_store: ShardStore) -> list[Erasure]:
    """Contents that the repo's history must lose, and has not yet."""
    with read(shard_store.sessions) as session:
        query = sa.select(Erasure).where(Erasure.target == shard_store.target, Erasure.done_at.is_(None))
        return list(session.scalars(query))


def ready_to_erase(shard_store: ShardStore) -> list[str]:
    """Those whose path has its new content on the Hub already."""
    with read(shard_store.sessions) as session:
        query = sa.select(Shard.path).where(Shard.target == shard_store.target, Shard.state != "published")
        unfinished = set(session.scalars(query))
    return [one.sha256 for one in pending_erasures(shard_store) if one.path not in unfinished]


def replaced_contents(shard_store: ShardStore) -> dict[str, str]:
    """Path by sha256 of every content that was ever replaced in this repo."""
    with read(shard_store.sessions) as session:
        query = sa.select(Erasure.sha256, Erasure.path).where(Erasure.target == shard_store.target)
        return {row.sha256: row.path for row in session.execute(query)}


def note_erased(shard_store: ShardStore, contents: Sequence[str]) -> None:
    """The repo's history has lost these."""
    with write(shard_store.sessions) as session:
        session.execute(
            sa.update(Erasure)
            .where(Erasure.target == shard_store.target, Erasure.sha256.in_(contents))
            .values(done_at=shard_store.clock())
        )


def compare(shard_store: ShardStore, pusher: Pusher) -> None:
    """Undo an old content that a delayed request of a process long dead has put back."""
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
    """Take over what other disks have begun to take out and left: the Hub has what it is made of."""
    for shard in shard_store.left_unfinished(at_once=at_once):
        if not shard.rows or shard.path in pusher.view.files:
            shard_store.take(shard)


def take_out(remote: DatasetRepo, shard_store: ShardStore, pusher: Pusher, store: BlobStore) -> int:
    """Replace shards that hold withdrawn rows by ones that do not; how many rows go.

    Raises:
        HubCallError: the file is only on the Hub, and that cannot be reached.
        StorageError: disk or database refused.
    """
    taken = 0
    for shard, removed in to_remove(shard_store):
        file = pusher.view.files.get(shard.path)
        data = stored(store, shard)
        if data is None and file is not None:
            data = remote.fetch(shard.path, pusher.view.sha)
        if data is None and shard.state == "published":
            forget_rows(shard_store, shard, removed)  # the file was deleted
        elif data is None and shard.disk != shard_store.disk:
            continue  # it is not public yet: its own disk does it, or the one that adopts it
        elif data is None:
            rebuild(
                shard, shard_store, store
            )  # never seen on the Hub: made again from the rows that are left
        else:
            try:
                # Not all but those: the Hub may still have rows that another disk has taken out.
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
    """Take replaced contents out of the repo's history, once their successor is there."""
    contents = ready_to_erase(shard_store)
    if contents:
        remote.erase(contents)
        note_erased(shard_store, contents)
        forget_deleted(shard_store.sessions)
