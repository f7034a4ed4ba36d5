"""Automatic triggers of a retraining: enough newly accepted photos, a schedule, or a push to the dataset.

The first two count the decisions in this app's database; for them, the Hub's webhook on the dataset repo only
makes the app count at once. With SMARTBREED_RETRAIN_ON_PUSH, the webhook is a trigger of its own:
`DatasetChanges` then reads the dataset repo, to which other apps and people publish too. A published shard
never gains rows, so new decisions are in files that did not exist at the revision that the last attempt read;
those files are small.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.core.errors import HubCallError, SmartBreedError, StorageError
from smartbreed.core.periodic import PeriodicTask
from smartbreed.dataset.schema import has_schema, shard_config
from smartbreed.review.decisions import ACCEPTING
from smartbreed.training_jobs.job import Job
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.training_jobs.report import read_report

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: How long a push waits after an attempt that failed or was lost.
_PAUSE = dt.timedelta(hours=1)
#: Largest file of decisions that is read, in bytes; valid shards are smaller.
_MOST_BYTES = 100_000_000


class DatasetChanges:
    """Remembers a push to the dataset repo until it was checked and, if it is due, a retraining has started.

    Args:
        jobs: the retrainings of this home.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._reported = False

    def reported(self) -> None:
        """Remember that the webhook reported a change of the dataset repo."""
        self._reported = True

    def due(self, last: Job | None, now: dt.datetime) -> bool:
        """Return whether a push should start a retraining now; asks the Hub only after a push.

        Args:
            last: the last retraining. While it runs, and for an hour after it failed or was lost, nothing
                is due and the push stays remembered.
            now: current time, aware.

        Raises:
            HubCallError, StorageError: the Hub cannot be asked or the disk refused; the push stays
                remembered.
        """
        if not self._reported or (last is not None and last.running):
            return False
        if last is not None and last.state in ("failed", "lost") and now - (last.ended_at or now) < _PAUSE:
            return False
        self._reported = False
        try:
            return self._accepted_since(self._read_last())
        except (HubCallError, StorageError):
            self._reported = True
            raise

    def _read_last(self) -> str:
        """Return the dataset revision that the last finished attempt read; empty if there is none."""
        for job in self._jobs.recent():
            result = job.progress.result
            report = read_report(self._jobs.settings.home_dir, result.report) if result else None
            revision = report.values.get("dataset_revision") if report else None
            if isinstance(revision, str) and revision:
                return revision
        return ""

    def _accepted_since(self, revision: str) -> bool:
        from smartbreed.hub.client import connect, download_file, repo_state, scratch_folder

        settings = self._jobs.settings
        api = connect(settings)
        try:
            head = repo_state(api, settings.dataset, "dataset").sha
        except HubCallError as error:
            if error.kind == "no_repo":
                return False
            raise
        new = _decisions(api, settings.dataset, head) - _decisions(api, settings.dataset, revision)
        with scratch_folder() as folder:
            return any(
                _accepts(download_file(api, settings.dataset, "dataset", path, head, folder))
                for path in sorted(new, reverse=True)
            )


def _decisions(api: HfApi, repo: str, revision: str) -> set[str]:
    """Return the paths of files with decisions; none for a revision that no longer exists."""
    from smartbreed.hub.client import list_files

    if not revision:
        return set()
    try:
        files = list_files(api, repo, "dataset", revision)
    except HubCallError as error:
        if error.kind == "no_entry":
            return set()
        raise
    return {
        path for path, file in files.items() if shard_config(path) == "reviews" and file.size <= _MOST_BYTES
    }


def _accepts(path: Path) -> bool:
    """Return whether a shard contains an accepting decision; False for a file that is not a valid shard."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if not has_schema(file.schema_arrow, "reviews"):
                return False
            decisions = file.read(columns=["decision"])["decision"].unique().to_pylist()
    except (pa.ArrowException, OSError, ValueError):
        return False
    return bool(set(decisions) & set(ACCEPTING))


log = logging.getLogger(__name__)

_CHECK_EVERY_S = 60.0
#: How long after a release the list of releases may still lack it.
_RELEASE_LAG = dt.timedelta(seconds=30)
#: Pause after a retraining that failed or was lost, before the same photos are tried again.
_RETRY = dt.timedelta(hours=1)


def due(
    waiting: int,
    last: Job | None,
    *,
    after: int,
    every_h: float,
    now: dt.datetime,
    asked: bool = False,
    fewest: int | None = None,
) -> str | None:
    """Decide whether a retraining should start automatically.

    Args:
        waiting: number of accepted photos that no version has learnt from.
        last: the last retraining, whatever its outcome; None if there is none.
        after: number of newly accepted photos that starts a retraining; 0 means never.
        every_h: hours between two retrainings; 0 means never.
        now: current time, aware.
        asked: True if a webhook caused this check.
        fewest: the lowest value of `waiting` seen since the last retraining ended; None if unknown.

    Returns:
        The trigger's name (a key of `smartbreed.training_jobs.job.TRIGGERS`), or None. Nothing is due
        without a photo that the last attempt did not have, since the same photos would be refused again.
    """
    if last is not None and (
        last.running or (last.state == "released" and now - (last.ended_at or now) < _RELEASE_LAG)
    ):
        return None
    fresh = waiting - min(_already_tried(last, now), waiting if fewest is None else fewest)
    if fresh < 1:
        return None
    if after and fresh >= after:
        return "webhook" if asked else "count"
    if every_h and (last is None or now - last.spec.started_at >= dt.timedelta(hours=every_h)):
        return "schedule"
    return None


def _already_tried(last: Job | None, now: dt.datetime) -> int:
    """Return how many of the waiting photos the last attempt had already.

    An attempt without a release counts with all its photos; one that failed or was lost does so for an
    hour only. A release counts with the photos that it left out: they exceeded one person's share, or
    their breed had too few.
    """
    if last is None:
        return 0
    if last.state in ("failed", "lost"):
        return 0 if now - (last.ended_at or now) >= _RETRY else last.spec.accepted
    result = last.progress.result
    if last.state == "released":
        return 0 if result is None or result.took is None else max(0, last.spec.accepted - result.took)
    return last.spec.accepted


class Triggers(PeriodicTask):
    """A thread that periodically checks the triggers; it does not run unless a trigger is set.

    Args:
        jobs: the retrainings of this home.
        waiting: counts the accepted photos that no version has learnt from; may raise.
        start: starts a retraining, given the trigger's name; may raise.
        after: as for `due`.
        every_h: as for `due`.
        check_every_s: seconds between two checks.
    """

    def __init__(
        self,
        jobs: Jobs,
        waiting: Callable[[], int],
        start: Callable[[str], Job],
        *,
        after: int = 0,
        every_h: float = 0.0,
        check_every_s: float = _CHECK_EVERY_S,
    ) -> None:
        super().__init__("retraining-triggers", self.check, check_every_s, patience_s=10.0)
        self._jobs, self._waiting, self._start = jobs, waiting, start
        self._after, self._every_h = after, every_h
        self._dataset_changes: DatasetChanges | None = None
        self._asked = False
        self._since, self._fewest = "", 0

    @property
    def active(self) -> bool:
        """True if a retraining can start automatically."""
        return bool(self._after or self._every_h or self._dataset_changes)

    def start(self, *, on_push: bool = False) -> None:
        """Start the thread if a trigger is set.

        Args:
            on_push: whether a push to the dataset repo is a trigger of its own.
        """
        if on_push and self._dataset_changes is None:
            self._dataset_changes = DatasetChanges(self._jobs)
        if self.active:
            super().start()

    def check_soon(self) -> bool:
        """Check now, as a webhook reported a change; return False if no change can start a retraining."""
        if not (self._after or self._dataset_changes) or not self.started:
            return False
        if self._dataset_changes is not None:
            self._dataset_changes.reported()
        self._asked = True
        self.wake()
        return True

    def check(self) -> Job | None:
        """Check the triggers once, and start and return a retraining if one is due. Never raises."""
        asked, self._asked = self._asked, False
        try:
            last = self._jobs.latest()
            now = dt.datetime.now(dt.UTC)
            trigger = self._counted(last, now, asked) if self._after or self._every_h else None
            if trigger is not None:
                return self._start(trigger)
            if self._dataset_changes is not None and self._dataset_changes.due(last, now):
                return self._start_after_push(self._dataset_changes)
        except SmartBreedError as error:
            log.warning("no retraining was started: %s", error.message)
        except Exception:
            log.exception("looking for a reason to retrain failed")
        return None

    def _start_after_push(self, changes: DatasetChanges) -> Job:
        try:
            return self._start("webhook")
        except BaseException:
            changes.reported()  # the next check tries again
            raise

    def _counted(self, last: Job | None, now: dt.datetime, asked: bool) -> str | None:
        waiting = self._waiting()
        since = "" if last is None or last.running else last.spec.id
        # The number drops if another machine has learnt from some photos, or if some were withdrawn.
        # Only what exceeds the lowest number since then is new.
        self._fewest = min(self._fewest, waiting) if since == self._since else waiting
        self._since = since
        return due(
            waiting, last, after=self._after, every_h=self._every_h, now=now, asked=asked, fewest=self._fewest
        )
