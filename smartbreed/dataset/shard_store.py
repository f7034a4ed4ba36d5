"""What the database knows of publishing, and every change of it, each one transaction."""

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
#: Age of a sealed shard at which another disk that has its photos takes it over.
_ADOPT_S = 24 * 3600.0
#: Age at which any disk finishes what another one began: the Hub has all that this needs.
_FINISH_S = 600.0


class ShardStore:
    """The books of one disk and one dataset repo.

    Args:
        sessions: a migrated database.
        disk: mark of the disk.
        target: Hub and repo.
        sources: by configuration.
        clock: the time; only for what people read and for pauses, never for what is right.
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
        """Where publishing from this disk stands."""
        with read(self.sessions) as session:
            found = session.get(PublishingState, self.disk)
        return found or PublishingState(disk=self.disk, attempts=0, refused=False, card_stale=False)

    def change(self, **values: object) -> None:
        """Note something in the state."""
        with write(self.sessions) as session:
            state = session.get(PublishingState, self.disk)
            if state is None:
                state = PublishingState(disk=self.disk, attempts=0, refused=False, card_stale=False)
                session.add(state)
            for name, value in values.items():
                setattr(state, name, value)

    def failed(self, error: HubCallError) -> None:
        """Note a failure and when to try again."""
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
        """Note that nothing is wrong any more."""
        self.change(
            attempts=0, next_attempt_at=None, refused=False, problem=None, problem_at=None,
            success_at=self.clock(),
        )  # fmt: skip

    def due(self) -> bool:
        """Whether it may be tried again by itself."""
        state = self.state()
        if state.refused:
            return False
        wait = state.next_attempt_at
        now = self.clock()
        # A moment farther away than any pause was written by a clock that has been set back since.
        return wait is None or wait <= now or wait > now + dt.timedelta(seconds=LONGEST_S + 60)

    def move_to_target(self) -> None:
        """Shards the Hub has never confirmed go where the settings point now."""
        with write(self.sessions) as session:
            session.execute(
                sa.update(Shard)
                .where(Shard.state == "sealed", Shard.published_at.is_(None), Shard.disk == self.disk)
                .where(Shard.target != self.target)
                .values(target=self.target)
            )
            for source in self.sources.values():
                # Withdrawn and said again before it had left the dataset: there it is still.
                if ids := source.said_again(session):
                    source.mark_published(session, ids, self.clock())

    def unpark(self) -> None:
        """Try what the Hub refused once more."""
        with write(self.sessions) as session:
            session.execute(sa.update(Shard).where(self._mine("parked")).values(state="sealed", problem=None))

    def adopt(self, *, at_once: bool) -> None:
        """Take over shards whose disk seems to be gone, when all their photos are here.

        Photos of rows that were taken back are not needed.
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
        """Whether all that a shard can be made of again is here."""
        with read(self.sessions) as session:
            return self._usable(session, shard)

    def _usable(self, session: Session, shard: Shard) -> bool:
        source = self.sources[shard.config]
        leaving = set(source.to_remove(session))
        return all(row in leaving or source.usable(row, session) for row in rows_of(session, shard.id))

    def left_unfinished(self, *, at_once: bool) -> list[Shard]:
        """Shards another disk has taken rows out of, and has not brought to the Hub since."""
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
        """A shard that another disk has left is this one's from now on."""
        with write(self.sessions) as session:
            session.execute(
                sa.update(Shard)
                .where(Shard.id == shard.id, Shard.sha256 == shard.sha256, Shard.state == "sealed")
                .values(disk=self.disk)
            )

    def sealed(self) -> list[Shard]:
        """Shards to be made so on the Hub, oldest first."""
        with read(self.sessions) as session:
            return list(session.scalars(sa.select(Shard).where(self._mine("sealed")).order_by(Shard.id)))

    def published(self) -> list[Shard]:
        """Shards of this repo that the Hub had, whatever disk they came from."""
        with read(self.sessions) as session:
            query = sa.select(Shard).where(Shard.state == "published", Shard.target == self.target)
            return list(session.scalars(query))

    def confirm(self, shard: Shard, commit: str) -> bool:
        """The Hub has exactly this content at the shard's path (or no file, when it has no rows).

        Returns:
            False when the shard was changed meanwhile, and has to be looked at again.
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
        """The Hub refuses this shard; the others go on."""
        with write(self.sessions) as session:
            session.execute(
                sa.update(Shard)
                .where(Shard.id == shard.id, Shard.sha256 == shard.sha256)
                .values(state="parked", problem=problem[:1000])
            )

    def forget_published(self) -> None:
        """The repo vanished: what this disk published into it has to go there again."""
        with write(self.sessions) as session:
            for shard in session.scalars(sa.select(Shard).where(self._mine("published"))):
                self._reopen(session, shard)
                shard.published_at = None
            session.execute(sa.delete(Erasure).where(Erasure.target == self.target))

    def reopen(self, shards: Sequence[Shard]) -> None:
        """The Hub has an older content of these shards again: publish ours once more."""
        with write(self.sessions) as session:
            for shard in shards:
                current = session.get(Shard, shard.id)
                if current is not None and current.sha256 == shard.sha256:
                    self._reopen(session, current)

    def _reopen(self, session: Session, shard: Shard) -> None:
        shard.state, shard.commit = "sealed", None
        self.sources[shard.config].mark_waiting(session, rows_of(session, shard.id))

    def rows(self, shard: Shard) -> list[str]:
        """Ids of the rows a shard has."""
        with read(self.sessions) as session:
            return rows_of(session, shard.id)

    def _mine(self, state: str) -> sa.ColumnElement[bool]:
        return sa.and_(Shard.state == state, Shard.disk == self.disk, Shard.target == self.target)


def rows_of(session: Session, shard_id: str) -> list[str]:
    """Ids of a shard's rows."""
    return list(session.scalars(sa.select(ShardRow.row_id).where(ShardRow.shard_id == shard_id)))
