"""Where a retraining works: a folder with photographs in it, which goes with the retraining.

Everything that a trainer copies, cuts or decodes lies in ``SMARTBREED_HOME/retraining/work/``,
whichever library writes it. The trainer removes its folder at every end of its own; of one that
was killed, the app does when it sees the end, at its next start and before the next retraining.
What stays is the report folder ``retraining/<time>/``, without photographs.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from smartbreed.core.scratch import scratch_folder, sweep
from smartbreed.training_jobs.job_lock import JobLock

log = logging.getLogger(__name__)

_PREFIX = "run-"
#: What trainers up to version 0.1 left in a report folder.
_EARLIER = ("data", "run", "tmp*")


@contextmanager
def workspace(home: Path) -> Iterator[Path]:
    """The work folder of this process, which is to be a trainer; also its folder for temporary files.

    Args:
        home: SMARTBREED_HOME.

    Raises:
        StorageError: the disk refused.
    """
    parent = _parent(home)
    sweep(parent, _PREFIX)
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    with scratch_folder(parent, _PREFIX) as folder:
        (folder / "tmp").mkdir()
        # Ours and every library's, in this process and in those it starts.
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
        try:
            yield folder
        finally:
            tempfile.tempdir = before[0]
            if before[1] is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before[1]


def remove_leftovers(home: Path) -> int:
    """Remove what trainers have left behind that are gone; how many folders went. Never raises."""
    swept = sweep(_parent(home), _PREFIX)
    if JobLock(home / "retraining" / "lock").holder() is None:  # else it may be a trainer of version 0.1
        with suppress(OSError):
            for report in sorted((home / "retraining").glob("[0-9]*Z")):
                swept += _clear_earlier(report)
    if swept:
        log.info("removed %d work folders of retrainings that have ended", swept)
    return swept


def _clear_earlier(report: Path) -> int:
    gone = 0
    with suppress(OSError):
        unpublished = report / "run" / "bundle"  # it may have passed, after hours
        if (unpublished / "config.json").is_file() and not (report / "bundle").exists():
            unpublished.replace(report / "bundle")
        for pattern in _EARLIER:
            for path in report.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)
                gone += not path.exists()
    return gone


def _parent(home: Path) -> Path:
    return home / "retraining" / "work"
