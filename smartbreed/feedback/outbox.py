"""Maintenance of the outbox: photos on the disk that no flag needs.

A photo is flushed before its row is committed, so a crash in between leaves a photo
without a row. A row without a photo cannot happen, except for flags that were taken back.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice

import sqlalchemy as sa

from smartbreed.core.database import Sessions, write
from smartbreed.feedback.blobs import BlobStore
from smartbreed.feedback.tables import Flag

#: Photos checked in one transaction; no flag can be saved meanwhile, so it stays short.
_BATCH = 100


def collect_orphans(
    blobs: BlobStore, sessions: Sessions, *, older_than_s: float = 3600.0, since: float = 0.0
) -> int:
    """Delete photos without a flag or with withdrawn ones only, and unfinished files; how many photos went.

    Safe while flags are being saved: the database's write lock is held from the look
    to the deletion, and a saver that finds its photo gone writes it again.

    Args:
        older_than_s: age in seconds below which a photo may still be waiting for its row.
        since: seconds since 1970; a photo no row names stays when it was written earlier.

    Raises:
        StorageError: disk or database refused; calling again goes on.
    """
    blobs.sweep_tmp(older_than_s)
    names = blobs.older_than(older_than_s)
    deleted = 0
    while batch := list(islice(names, _BATCH)):
        with write(sessions) as session:
            rows = session.execute(sa.select(Flag.sample_id, Flag.state).where(Flag.sample_id.in_(batch)))
            states: dict[str, set[str]] = {}
            for name, state in rows:
                states.setdefault(name, set()).add(state)
            for name in batch:
                found = states.get(name)
                if found == {"withdrawn"} or (found is None and _written(blobs, name) >= since):
                    deleted += blobs.delete(name)
    return deleted


def _written(blobs: BlobStore, name: str) -> float:
    with suppress(FileNotFoundError):
        return blobs.path(name).stat().st_mtime
    return 0.0
