"""What starts a retraining without a hand: enough newly accepted photos, the clock, or a push.

The first two count the decisions of this app; the Hub's webhook on the dataset repo only makes it
count at once. Where SMARTBREED_RETRAIN_ON_PUSH asks for it, the webhook is a trigger of its own:
`DatasetChanges` then looks into the dataset repo, to which other apps and people publish too. Shards never
change once they are published: new decisions are those in files that were not there at the revision the
last attempt read, and those files are small.
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

    from smartbreed.training_jobs.jobs import Jobs

#: After an attempt that broke off, a push waits this long.
_PAUSE = dt.timedelta(hours=1)
#: A larger file of decisions is none of ours.
_MOST_BYTES = 100_000_000


class DatasetChanges:
    """Remembers that there was a push until it has been looked at.

    Args:
        jobs: what has run on this home.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._reported = False

    def reported(self) -> None:
        """The webhook says that the dataset repo has changed."""
        self._reported = True

    def due(self, last: Job | None, now: dt.datetime) -> bool:
        """Whether a push should start a retraining now; asks the Hub only after a push.

        Args:
            last: the retraining before; while it runs, or shortly after it broke off, nothing is due
                and the push is remembered.
            now: aware.

        Raises:
            HubCallError, StorageError: the Hub cannot be asked or the disk refused; the push is remembered.
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
        """The revision that the last attempt read which came to its end; empty when there is none."""
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
    """Paths of the files with decisions; none of a revision that is not there any more."""
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
    """Whether a shard accepts anything; what is no shard of ours does not."""
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
#: As long after a release, the list of releases may still be that of before.
_RELEASE_LAG = dt.timedelta(seconds=30)
#: After one that broke off, not through lack of photos, the next may come without new ones.
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
    """Whether a retraining should start by itself.

    Args:
        waiting: accepted photos that no version has learnt from.
        last: the retraining before, whatever became of it.
        after: newly accepted photos that start one; 0: never.
        every_h: hours between two; 0: never.
        now: aware.
        asked: a webhook made us look.
        fewest: the lowest that `waiting` was since the last one ended, as far as was looked.

    Returns:
        The trigger's name (a key of `smartbreed.training_jobs.job.TRIGGERS`), or None. Nothing is due
        without a photo that the last attempt did not have: the same ones would be refused again.
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
    """Of the waiting photos, those the last attempt had: refused, or passed over in a version that was
    released (over one person's share, or of a breed with too few)."""
    if last is None:
        return 0
    if last.state in ("failed", "lost"):
        return 0 if now - (last.ended_at or now) >= _RETRY else last.spec.accepted
    result = last.progress.result
    if last.state == "released":
        return 0 if result is None or result.took is None else max(0, last.spec.accepted - result.took)
    return last.spec.accepted


class Triggers(PeriodicTask):
    """Looks from time to time, in a thread of its own; does nothing unless a trigger is set.

    Args:
        jobs: what has run.
        waiting: counts accepted photos that no version has learnt from; may raise.
        start: starts one, given the trigger's name; may raise.
        after: as for `due`.
        every_h: as for `due`.
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
        """Whether anything but a hand can start a retraining."""
        return bool(self._after or self._every_h or self._dataset_changes)

    def start(self, *, on_push: bool = False) -> None:
        """Begin to look.

        Args:
            on_push: whether a push to the dataset repo starts a retraining by itself.
        """
        if on_push and self._dataset_changes is None:
            self._dataset_changes = DatasetChanges(self._jobs)
        if self.active:
            super().start()

    def check_soon(self) -> bool:
        """A webhook reported a change: look now. False when no such change starts a retraining here."""
        if not (self._after or self._dataset_changes) or not self.started:
            return False
        if self._dataset_changes is not None:
            self._dataset_changes.reported()
        self._asked = True
        self.wake()
        return True

    def check(self) -> Job | None:
        """Look once; start what is due. Never raises."""
        asked, self._asked = self._asked, False
        try:
            last = self._jobs.latest()
            now = dt.datetime.now(dt.UTC)
            trigger = self._counted(last, now, asked) if self._after or self._every_h else None
            if trigger is None and self._dataset_changes is not None and self._dataset_changes.due(last, now):
                trigger = "webhook"
            if trigger is not None:
                return self._start(trigger)
        except SmartBreedError as error:
            log.warning("no retraining was started: %s", error.message)
        except Exception:
            log.exception("looking for a reason to retrain failed")
        return None

    def _counted(self, last: Job | None, now: dt.datetime, asked: bool) -> str | None:
        waiting = self._waiting()
        since = "" if last is None or last.running else last.spec.id
        # Fewer than the last attempt had: another machine has learnt them, or they were taken back.
        # What comes on top of those is new.
        self._fewest = min(self._fewest, waiting) if since == self._since else waiting
        self._since = since
        return due(
            waiting, last, after=self._after, every_h=self._every_h, now=now, asked=asked, fewest=self._fewest
        )
