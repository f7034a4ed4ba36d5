"""What keeps the dataset right beside adding to it: rows taken out, and out of its history."""

from __future__ import annotations

from smartbreed.core.database import forget_deleted
from smartbreed.core.errors import StorageError
from smartbreed.dataset import withdrawals
from smartbreed.dataset.push import Pusher
from smartbreed.dataset.remote import DatasetRepo, facts_of
from smartbreed.dataset.repo_state import same
from smartbreed.dataset.shard_builder import rebuild, stored
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.shards import only
from smartbreed.feedback.blobs import BlobStore


def compare(shard_store: ShardStore, pusher: Pusher) -> None:
    """Undo an old content that a delayed request of a process long dead has put back."""
    old = withdrawals.replaced_contents(shard_store)
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
    for shard, removed in withdrawals.to_remove(shard_store):
        file = pusher.view.files.get(shard.path)
        data = stored(store, shard)
        if data is None and file is not None:
            data = remote.fetch(shard.path, pusher.view.sha)
        if data is None and shard.state == "published":
            withdrawals.forget_rows(shard_store, shard, removed)  # somebody deleted the file
        elif data is None and shard.disk != shard_store.disk:
            continue  # nobody sees it yet: its own disk does it, or the one that adopts it
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
                    f"{shard.path} holds a withdrawn flag, and somebody else has changed it to {error}; "
                    "delete it from the dataset repo."
                ) from error
            if packed:
                store.put(packed.data)
            old = {shard.sha256, file.sha256 if file else None}
            if not withdrawals.replace(shard_store, shard, packed, removed, erase=old):
                continue  # another disk was faster
            if shard.sha256:
                store.delete(shard.sha256)
        taken += len(removed)
    return taken


def erase(remote: DatasetRepo, shard_store: ShardStore) -> None:
    """Take replaced contents out of the repo's history, once their successor is there."""
    contents = withdrawals.ready_to_erase(shard_store)
    if contents:
        remote.erase(contents)
        withdrawals.note_erased(shard_store, contents)
        forget_deleted(shard_store.sessions)
