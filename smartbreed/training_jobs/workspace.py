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
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from smartbreed.core.scratch import scratch_folder, sweep
from smartbreed.training_jobs.job_lock import JobLock

log = logging.getLogger(__name__)

_PREFIX = "run-"
#: Patterns of files that trainers up to version 0.1 left in a report folder.
_EARLIER = ("data", "run", "tmp*")


@contextmanager
def workspace(home: Path) -> Iterator[Path]:
    """Make the work folder of this trainer process and use it for temporary files too; remove it at the end.

    The copies that the library `datasets` makes of what it reads are temporary files as well.

    Args:
        home: SMARTBREED_HOME.

    Raises:
        StorageError: the disk refused.
    """
    parent = _parent(home)
    sweep(parent, _PREFIX)
    before = tempfile.tempdir
    with scratch_folder(parent, _PREFIX) as folder:
        (folder / "tmp").mkdir()
        # For all temporary files, those of libraries included, in this process and its children.
        temporary, copies = str(folder / "tmp"), folder / "datasets"
        with _datasets_cache(copies), _environment(TMPDIR=temporary, HF_DATASETS_CACHE=str(copies)):
            tempfile.tempdir = temporary
            try:
                yield folder
            finally:
                tempfile.tempdir = before


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables during the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _datasets_cache(folder: Path) -> Iterator[None]:
    """Point the cache of `datasets` at a folder during the block.

    The library reads the environment only when it is imported, which may have happened before.
    """
    early: Any = sys.modules.get("datasets.config")
    before = None if early is None else early.HF_DATASETS_CACHE
    if early is not None:
        early.HF_DATASETS_CACHE = folder
    try:
        yield
    finally:
        config: Any = sys.modules.get("datasets.config")
        if config is not None:  # perhaps imported in the block
            usual = os.environ.get("HF_DATASETS_CACHE", config.DEFAULT_HF_DATASETS_CACHE)
            config.HF_DATASETS_CACHE = before or Path(usual)


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
