"""One publishing run: read the repo, remove withdrawn rows, seal, commit, confirm and erase.

The process may die after any step. The next run then finds waiting rows, sealed shards that the
Hub lacks or sealed shards that it already has, and continues from there.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.core.database import Sessions, read
from smartbreed.core.errors import HubCallError, SmartBreedError, StorageError
from smartbreed.core.files import disk_errors
from smartbreed.core.maintenance import Maintenance
from smartbreed.dataset import withdrawals
from smartbreed.dataset.publisher_lock import make_mark, only_publisher, read_mark
from smartbreed.dataset.push import REFUSED_CONTENT, Pusher
from smartbreed.dataset.remote import DatasetRepo
from smartbreed.dataset.shard_builder import build_next, free_parked, sweep
from smartbreed.dataset.shard_store import Clock, ShardStore
from smartbreed.dataset.sources import RowSource
from smartbreed.dataset.status import PublishingStatus, publishing_status
from smartbreed.dataset.tables import Shard
from smartbreed.feedback.blobs import BlobStore

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger(__name__)

#: Called after each shard with the rows published so far in this run and the rows left.
Progress = Callable[[int, int], None]


@dataclass
class Report:
    """The outcome of one publishing run.

    Attributes:
        published: rows that this run added to the Hub.
        removed: rows taken out of the dataset.
        waiting: rows still waiting.
        problem: what went wrong, as a sentence; None if nothing did.
        busy: another process is publishing from this disk; nothing was done.
        early: the next attempt is not due yet; nothing was done.
    """

    published: int = 0
    removed: int = 0
    waiting: int = 0
    problem: str | None = None
    busy: bool = False
    early: bool = False


def utc_now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(dt.UTC)


class Publisher:
    """Publishes from one disk into one dataset repo; safe in any number of threads and processes.

    Args:
        sessions: sessions of a migrated database.
        folder: where sealed shards wait, on the disk that has the photos.
        connect: returns the Hub's client.
        hub: name of the Hub, such as ``embedded``.
        repo: the dataset repo, ``owner/name``.
        sources: the tables to publish, in this order.
        clock: returns the current time.
        sleep: waits, in seconds, before a commit is retried because another writer was faster.
        maintenance: jobs that `BackgroundPublisher` also runs; `status` reports their problems.
    """

    def __init__(
        self,
        sessions: Sessions,
        folder: Path,
        connect: Callable[[], HfApi],
        *,
        hub: str,
        repo: str,
        sources: Iterable[RowSource],
        clock: Clock = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        maintenance: Iterable[Maintenance] = (),
    ) -> None:
        self.folder = folder
        self.store = BlobStore(folder, "shard")
        self.target = f"{hub} {repo}"
        self._sessions = sessions
        self._remote = DatasetRepo(connect, repo)
        self._sources: Mapping[str, RowSource] = {source.config: source for source in sources}
        self._clock = clock
        self._sleep = sleep
        self.maintenance = list(maintenance)

    def shard_store(self, disk: str) -> ShardStore:
        """Return the publishing records of a disk."""
        return ShardStore(self._sessions, disk, self.target, self._sources, self._clock)

    def waiting(self) -> int:
        """Count the rows that are in no shard yet, parked ones excluded; a cheap query."""
        with read(self._sessions) as session:
            return sum(source.count_waiting(session) for source in self._sources.values())

    def status(self) -> PublishingStatus:
        """Return where publishing stands, without asking the Hub.

        Raises:
            StorageError: the database refused.
        """
        found = publishing_status(self._sessions, self.target, read_mark(self.folder))
        return replace(
            found, problems=[*found.problems, *(p for job in self.maintenance for p in job.problems())]
        )

    def run(
        self, *, by_hand: bool = False, patience_s: float = 0.0, progress: Progress | None = None
    ) -> Report:
        """Publish what is waiting.

        Args:
            by_hand: a person asked for this run: ignore the backoff, and retry what the Hub refused.
            patience_s: seconds to wait for another process that is publishing.
            progress: called after each shard.

        Returns:
            What was done. Problems with the Hub or the disk are reported there and in the database.

        Raises:
            StorageError: the database refused even to record what went wrong.
        """
        try:
            return self._run(by_hand, patience_s, progress)
        except StorageError as error:  # neither lock nor disk mark could be written
            self.shard_store(read_mark(self.folder)).failed(HubCallError("retry", error.message))
            return Report(waiting=self.waiting(), problem=error.message)

    def _run(self, by_hand: bool, patience_s: float, progress: Progress | None) -> Report:
        with only_publisher(self.folder, patience_s) as got_it:
            if not got_it:
                return Report(busy=True, waiting=self.waiting())
            shard_store = self.shard_store(make_mark(self.folder))
            report = Report()
            if not by_hand and not shard_store.due():
                report.early = True
            else:
                self._attempt(shard_store, report, by_hand, progress)
            report.waiting = self.waiting() + sum(shard.rows for shard in shard_store.sealed())
            return report

    def _attempt(
        self, shard_store: ShardStore, report: Report, by_hand: bool, progress: Progress | None
    ) -> None:
        try:
            with disk_errors("Publishing was interrupted"):
                self._steps(shard_store, report, by_hand, progress)
        except SmartBreedError as error:
            report.problem = error.message
            failure = error if isinstance(error, HubCallError) else HubCallError("retry", error.message)
            shard_store.failed(failure)

    def _steps(
        self, shard_store: ShardStore, report: Report, by_hand: bool, progress: Progress | None
    ) -> None:
        shard_store.move_to_target()
        shard_store.adopt(at_once=by_hand)
        if by_hand:
            shard_store.unpark()
        if not self._has_work(shard_store):
            if not by_hand:
                return
            self._find_repo(shard_store)
            if not self._has_work(shard_store):
                shard_store.succeeded()
                return
        self._find_repo(shard_store)
        pusher = Pusher(self._remote, shard_store, self.store, self._sleep)
        withdrawals.compare(shard_store, pusher)
        withdrawals.finish(shard_store, pusher, at_once=by_hand)
        report.removed = withdrawals.take_out(self._remote, shard_store, pusher, self.store)
        self._publish(shard_store, pusher, report, progress)
        card_problem = pusher.finish_card()
        withdrawals.erase(self._remote, shard_store)
        sweep(shard_store, self.store)
        shard_store.succeeded()
        if card_problem:
            report.problem = card_problem
            shard_store.change(problem=card_problem[:1000], problem_at=self._clock())

    def _has_work(self, shard_store: ShardStore) -> bool:
        for source in self._sources.values():
            free_parked(source, shard_store)
        with read(self._sessions) as session:
            waiting = any(source.waiting(session, 1) for source in self._sources.values())
        return bool(
            waiting
            or shard_store.sealed()
            or shard_store.state().card_stale
            or withdrawals.to_remove(shard_store)
            or withdrawals.pending_erasures(shard_store)
        )

    def _find_repo(self, shard_store: ShardStore) -> None:
        """Check that the Hub answers and that the repo is still the same one; create a missing repo."""
        known = shard_store.state()
        missing = False
        try:
            state = self._remote.state()
        except HubCallError as error:
            if error.kind != "no_repo":
                raise
            # The Hub answers the same to a token that may not see the repo: a repo that is there all the
            # time still has its shards, and its history the contents that are to be erased.
            missing, state = True, self._remote.create()
        created = state.created.isoformat() if state.created else None
        before = known.repo_created if known.target == self.target else None
        if before not in (None, created):
            log.warning("the dataset repo is another one than before: everything is published again")
            shard_store.forget_published()
        elif missing and before is None:
            shard_store.forget_published()
        if (known.target, known.repo_created) != (self.target, created):
            shard_store.change(target=self.target, repo_created=created)

    def _publish(
        self, shard_store: ShardStore, pusher: Pusher, report: Report, progress: Progress | None
    ) -> None:
        """Push the sealed shards, then seal and push waiting rows until none are left."""
        tried: set[str] = set()
        while True:
            shard = next((shard for shard in shard_store.sealed() if shard.id not in tried), None)
            if shard is None:
                sealed = (build_next(source, shard_store, self.store) for source in self._sources.values())
                shard = next((made for made in sealed if made is not None), None)
            if shard is None:
                return
            problem = self._push(shard, shard_store, pusher, report)
            if problem:
                tried.add(shard.id)
                report.problem = problem
            if progress:
                progress(report.published, self.waiting() + sum(one.rows for one in shard_store.sealed()))

    def _push(self, shard: Shard, shard_store: ShardStore, pusher: Pusher, report: Report) -> str | None:
        """Push one shard; park it and return the reason if the Hub refuses its content."""
        new = shard.published_at is None
        try:
            commit = pusher.push(shard)
        except HubCallError as error:
            if error.kind == "refused" and error.answered in REFUSED_CONTENT:
                shard_store.park(shard, error.message)
                return error.message
            raise
        if commit is not None and shard_store.confirm(shard, commit):
            report.published += shard.rows if new else 0
            if shard.sha256:
                self.store.delete(shard.sha256)
        return None
