"""What keeps the dataset right beside adding to it: rows taken out, and out of its history."""

from __future__ import annotations

from smartbreed.errors import StorageError
from smartbreed.feedback.blobs import BlobStore
from smartbreed.publishing import withdrawals
from smartbreed.publishing.inventory import same
from smartbreed.publishing.ledger import Ledger
from smartbreed.publishing.push import Pusher
from smartbreed.publishing.remote import DatasetRepo, facts_of
from smartbreed.publishing.sealing import rebuild, stored
from smartbreed.publishing.shards import without


def compare(ledger: Ledger, pusher: Pusher) -> None:
    """Undo an old content that a delayed request of a process long dead has put back."""
    old = withdrawals.replaced_contents(ledger)
    if not old:
        return
    files = pusher.view.files
    back = [
        shard
        for shard in ledger.published()
        if shard.disk == ledger.disk
        and (file := files.get(shard.path)) is not None
        and file.sha256 in old
        and not same(file, facts_of(shard))
    ]
    ledger.reopen(back)


def take_out(remote: DatasetRepo, ledger: Ledger, pusher: Pusher, store: BlobStore) -> int:
    """Replace shards that hold withdrawn rows by ones that do not; how many rows go.

    Raises:
        HubCallError: the file is only on the Hub, and that cannot be reached.
        StorageError: disk or database refused.
    """
    taken = 0
    for shard, removed in withdrawals.to_remove(ledger):
        data = stored(store, shard)
        if data is None and shard.path in pusher.view.files:
            data = remote.fetch(shard.path, pusher.view.sha)
        if data is None and shard.state == "published":
            withdrawals.forget_rows(ledger, shard, removed)  # somebody deleted the file
        elif data is None:
            rebuild(shard, ledger, store)  # never seen on the Hub: made again from the rows that are left
        else:
            try:
                packed = without(shard.config, data, removed)
            except ValueError as error:
                raise StorageError(
                    f"{shard.path} holds a withdrawn flag, and somebody else has changed it to {error}; "
                    "delete it from the dataset repo."
                ) from error
            if packed:
                store.put(packed.data)
            if withdrawals.replace(ledger, shard, packed, removed, erase=True):
                store.delete(shard.sha256)
        taken += len(removed)
    return taken


def erase(remote: DatasetRepo, ledger: Ledger) -> None:
    """Take replaced contents out of the repo's history, once their successor is there."""
    contents = withdrawals.ready_to_erase(ledger)
    if contents:
        remote.erase(contents)
        withdrawals.note_erased(ledger, contents)
