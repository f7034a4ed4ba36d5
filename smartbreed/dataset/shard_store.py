"""The publishing records in the database: queries, and changes in one transaction each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import HubCallError
from smartbreed.dataset.sources import RowSource
from smartbreed.dataset.tables import Erasure, PublishingState, Shard, ShardRow
from smartbreed.hub.retry import LONGEST_S, pause_s

Clock = Callable[[], dt.datetime]
#: Age in seconds at which a sealed shard is taken over by another disk that has its photos.
_ADOPT_S = 24 * 3600.0
#: Age in seconds at which any disk finishes a removal that another one began; it needs only the Hub's file.
_FINISH_S = 600.0


class ShardStore:
    """The publishing records of one disk and one dataset repo.

    Args:
        sessions: sessions of a migrated database.
        disk: mark of the disk.
        target: Hub and repo, such as ``embedded smartbreed/flags``.
        sources: row sources by configuration.
        clock: returns the current time. It decides only displayed times and waits; correctness never
            depends on it.
    """

    def __init__(
        self, sessions: Sessions, disk: str, target: str, sources: Mapping[str, RowSource], clock: Clock
    ) -> None:
        self.sessions = sessions
        self.disk = disk
        self.target = target
        self.sources = sources
        self.clock = clock

    def state(self) -> PublishingState:
        """Return the state of publishing from this disk."""
        with read(self.sessions) as session:
            found = session.get(PublishingState, self.disk)
        return found or PublishingState(disk=self.disk, attempts=0, refused=False, card_stale=False)

    def change(self, **values: object) -> None:
        """Set fields of the state."""
        with write(self.sessions) as session:
            state = session.get(PublishingState, self.disk)
            if state is None:
                state = PublishingState(disk=self.disk, attempts=0, refused=False, card_stale=False)
                session.add(state)
            for name, value in values.items():
                setattr(state, name, value)

    def failed(self, error: HubCallError) -> None:
        """Record a failure and when to try again."""
        now, attempts = self.clock(), self.state().attempts + 1
        pause = dt.timedelta(seconds=pause_s(attempts, error.retry_after_s))
        self.change(
            attempts=attempts,
            next_attempt_at=now + pause,
            refused=error.kind == "refused",
            problem=error.message[:1000],
            problem_at=now,
        )

    def succeeded(self) -> None:
        """Record a success and clear the last failure."""
        self.change(
            attempts=0, next_attempt_at=None, refused=False, problem=None, problem_at=None,
            success_at=self.clock(),
        )  # fmt: skip

    def due(self) -> bool:
        """Return whether an automatic attempt may run now."""
        state = self.state()
        if state.refused:
            return False
        wait = state.next_attempt_at
        now = self.clock()
        # A time farther ahead than any pause means that the clock has been set back since.
        return wait is None or wait <= now or wait > now + dt.timedelta(seconds=LONGEST_S + 60)

    def move_to_target(self) -> None:
        """Redirect shards that were never published to the repo that the settings name now.

        Also mark as published the rows that were withdrawn and flagged again before their removal.
        """
        with write(self.sessions) as session:
            session.execute(
                sa.update(Shard)
                .where(Shard.state == "sealed", Shard.published_at.is_(None), Shard.disk == self.disk)
                .where(Shard.target != self.target)
                .values(target=self.target)
            )
            for source in self.sources.values():
                # Such rows have never left the dataset.
                if ids := source.said_again(session):
                    source.mark_published(session, ids, self.clock())

    def unpark(self) -> None:
        """Seal parked shards again, so that what the Hub refused is pushed once more."""
        with write(self.sessions) as session:
            session.execute(sa.update(Shard).where(self._mine("parked")).values(state="sealed", problem=None))

    def adopt(self, *, at_once: bool) -> None:
        """Take over shards whose disk seems to be gone, if this disk has all their photos.

        Photos of rows that must leave the dataset are not needed.

        Args:
            at_once: take over shards of any age, not only those older than a day.
        """
        oldest = self.clock() - dt.timedelta(seconds=0 if at_once else _ADOPT_S)
        with read(self.sessions) as session:
            query = sa.select(Shard).where(Shard.state == "sealed", Shard.disk != self.disk, Shard.rows > 0)
            lost = [
                shard.id
                for shard in session.scalars(query.where(Shard.sealed_at < oldest))
                if self._usable(session, shard)
            ]
        if lost:
            with write(self.sessions) as session:
                session.execute(
                    sa.update(Shard).where(Shard.id.in_(lost), Shard.state == "sealed").values(disk=self.disk)
                )

    def has_photos(self, shard: Shard) -> bool:
        """Return whether this disk has all photos that are needed to rebuild a shard."""
        with read(self.sessions) as session:
            return self._usable(session, shard)

    def _usable(self, session: Session, shard: Shard) -> bool:
        source = self.sources[shard.config]
        leaving = set(source.to_remove(session))
        return all(row in leaving or source.usable(row, session) for row in rows_of(session, shard.id))

    def left_unfinished(self, *, at_once: bool) -> list[Shard]:
        """Return shards from which another disk has removed rows without publishing the result since.

        Args:
            at_once: include removals of any age, not only those older than ten minutes.
        """
        oldest = self.clock() - dt.timedelta(seconds=0 if at_once else _FINISH_S)
        replaced = sa.exists().where(
            Erasure.path == Shard.path,
            Erasure.target == Shard.target,
            Erasure.done_at.is_(None),
            Erasure.asked_at <= oldest,
        )
        with read(self.sessions) as session:
            query = sa.select(Shard).where(Shard.state == "sealed", Shard.target == self.target)
            return list(session.scalars(query.where(Shard.disk != self.disk, replaced)))

    def take(self, shard: Shard) -> None:
        """Assign a sealed shard of another disk to this one, unless it was changed meanwhile."""
        with write(self.sessions) as session:
            session.execute(
                sa.update(Shard)
                .where(Shard.id == shard.id, Shard.sha256 == shard.sha256, Shard.state == "sealed")
                .values(disk=self.disk)
            )

    def sealed(self) -> list[Shard]:
        """Return this disk's shards whose content the Hub does not have yet, oldest first."""
        with read(self.sessions) as session:
            return list(session.scalars(sa.select(Shard).where(self._mine("sealed")).order_by(Shard.id)))

    def published(self) -> list[Shard]:
        """Return the published shards of this repo, whichever disk they came from."""
        with read(self.sessions) as session:
            query = sa.select(Shard).where(Shard.state == "published", Shard.target == self.target)
            return list(session.scalars(query))

    def confirm(self, shard: Shard, commit: str) -> bool:
        """Record that the Hub has exactly this content at the shard's path (no file if it has no rows).

        Returns:
            False if the shard was changed meanwhile and must be pushed again.
        """
        now = self.clock()
        with write(self.sessions) as session:
            current = session.get(Shard, shard.id)
            if current is None or current.sha256 != shard.sha256 or current.rows != shard.rows:
                return False
            if not current.rows:
                session.delete(current)
                return True
            current.state, current.commit, current.published_at = "published", commit, now
            current.problem = None
            ids = rows_of(session, shard.id)
            self.sources[shard.config].mark_published(session, ids, now)
        return True

    def park(self, shard: Shard, problem: str) -> None:
        """Record that the Hub refuses this shard; other shards are still published."""
        with write(self.sessions) as session:
            session.execute(
                sa.update(Shard)
                .where(Shard.id == shard.id, Shard.sha256 == shard.sha256)
                .values(state="parked", problem=problem[:1000])
            )

    def forget_published(self) -> None:
        """Mark all that this disk published as unpublished, because the repo is gone or was replaced."""
        with write(self.sessions) as session:
            for shard in session.scalars(sa.select(Shard).where(self._mine("published"))):
                self._reopen(session, shard)
                shard.published_at = None
            session.execute(sa.delete(Erasure).where(Erasure.target == self.target))

    def reopen(self, shards: Sequence[Shard]) -> None:
        """Mark shards as sealed and their rows as waiting, so that they are published again.

        A shard that was changed meanwhile is skipped.
        """
        with write(self.sessions) as session:
            for shard in shards:
                current = session.get(Shard, shard.id)
                if current is not None and current.sha256 == shard.sha256:
                    self._reopen(session, current)

    def _reopen(self, session: Session, shard: Shard) -> None:
        shard.state, shard.commit = "sealed", None
        self.sources[shard.config].mark_waiting(session, rows_of(session, shard.id))

    def rows(self, shard: Shard) -> list[str]:
        """Return the ids of a shard's rows."""
        with read(self.sessions) as session:
            return rows_of(session, shard.id)

    def _mine(self, state: str) -> sa.ColumnElement[bool]:
        return sa.and_(Shard.state == state, Shard.disk == self.disk, Shard.target == self.target)


def rows_of(session: Session, shard_id: str) -> list[str]:
    """Return the ids of a shard's rows."""
    return list(session.scalars(sa.select(ShardRow.row_id).where(ShardRow.shard_id == shard_id)))
