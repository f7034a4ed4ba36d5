"""Taking withdrawn and erased rows out of what is sealed or published, and out of its history.

A shard keeps its path and gets another content; the old content is noted in the same
transaction, published over by the usual road, and then erased from the repo's history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import read, write
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.shards import Packed
from smartbreed.dataset.tables import Erasure, Shard, ShardRow


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


def replace(
    shard_store: ShardStore,
    shard: Shard,
    packed: Packed | None,
    removed: Sequence[str],
    *,
    erase: Collection[str | None] = (),
) -> bool:
    """Give a shard another content: rows taken out, or rebuilt from what is left.

    It belongs to this disk from now on, which has the new content.

    Args:
        packed: the new content; None: no row is left.
        removed: ids of rows that are not in it any more.
        erase: sha256 of contents that must leave the repo's history.

    Returns:
        False when the shard was changed meanwhile.
    """
    with write(shard_store.sessions) as session:
        current = session.get(Shard, shard.id)
        if current is None or current.sha256 != shard.sha256:
            return False
        _drop_rows(session, shard, removed)
        new = hashlib.sha256(packed.data).hexdigest() if packed else ""
        _note_erasures(shard_store, session, shard.path, set(erase) - {new})
        # Wanted again, whatever was asked before: erasing it would take the live file.
        session.execute(sa.delete(Erasure).where(Erasure.sha256 == new, Erasure.target == shard_store.target))
        current.disk, current.sha256 = shard_store.disk, new
        current.size, current.rows = (len(packed.data), packed.facts["rows"]) if packed else (0, 0)
        current.facts = json.dumps(packed.facts if packed else {})
        current.state, current.problem = "sealed", None
    return True


def forget_rows(shard_store: ShardStore, shard: Shard, removed: Sequence[str]) -> None:
    """Withdrawn rows of a shard that is not on the Hub any more: only its history is left to erase."""
    with write(shard_store.sessions) as session:
        _drop_rows(session, shard, removed)
        _note_erasures(shard_store, session, shard.path, [shard.sha256])


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


def _drop_rows(session: Session, shard: Shard, removed: Sequence[str]) -> None:
    session.execute(sa.delete(ShardRow).where(ShardRow.config == shard.config, ShardRow.row_id.in_(removed)))


def _note_erasures(
    shard_store: ShardStore, session: Session, path: str, contents: Collection[str | None]
) -> None:
    for sha256 in set(contents) - {None, ""}:
        # Merged: a content that was erased before and has come back has to go again.
        session.merge(
            Erasure(
                sha256=sha256,
                target=shard_store.target,
                path=path,
                asked_at=shard_store.clock(),
                done_at=None,
            )
        )
