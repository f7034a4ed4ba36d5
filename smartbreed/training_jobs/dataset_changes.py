"""Whether a push to the dataset repo brought accepted photos that the last attempt did not have.

Several apps and people may publish to one dataset repo, so what was accepted there is not all in
this app's database. Shards never change once they are published: new decisions are those in
files that were not there at the revision the last attempt read, and those files are small.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.core.errors import HubCallError, StorageError
from smartbreed.dataset.accepted import ACCEPTING
from smartbreed.dataset.schema import has_schema, shard_config
from smartbreed.training_jobs.job import Job
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
