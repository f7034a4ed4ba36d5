"""The work folder of a retraining, which holds photographs and is removed when the retraining ends.

Everything that a trainer copies, crops or decodes is under ``SMARTBREED_HOME/retraining/work/``,
whichever library writes it. The trainer removes its folder however it ends, unless it is killed. In that
case the app removes it: when it sees the end, at its next start, and before the next retraining.
Only the report folder ``retraining/<time>/`` stays; it holds no photographs.
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
#: Patterns of files that trainers up to version 0.1 left in a report folder.
_EARLIER = ("data", "run", "tmp*")


@contextmanager
def workspace(home: Path) -> Iterator[Path]:
    """Make the work folder of this trainer process and use it for temporary files too; remove it at the end.

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
        # For all temporary files, those of libraries included, in this process and its children.
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
    """Remove what ended trainers left behind; return the number of removed folders. Never raises."""
    swept = sweep(_parent(home), _PREFIX)
    if JobLock(home / "retraining" / "lock").holder() is None:  # the holder may be a trainer of version 0.1
        with suppress(OSError):
            for report in sorted((home / "retraining").glob("[0-9]*Z")):
                swept += _clear_earlier(report)
    if swept:
        log.info("removed %d work folders of retrainings that have ended", swept)
    return swept


def _clear_earlier(report: Path) -> int:
    gone = 0
    with suppress(OSError):
        unpublished = report / "run" / "bundle"  # keep it: it may have passed the gate, after hours
        if (unpublished / "config.json").is_file() and not (report / "bundle").exists():
            unpublished.replace(report / "bundle")
        for pattern in _EARLIER:
            for path in report.glob(pattern):
                shutil.rmtree(path, ignore_errors=True)
                gone += not path.exists()
    return gone


def _parent(home: Path) -> Path:
    return home / "retraining" / "work"
