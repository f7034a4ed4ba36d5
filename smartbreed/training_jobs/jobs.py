"""Manage the retrainings of a SMARTBREED_HOME: start, watch, cancel and list them, from any process.

All state is in files and in a kernel lock, so it does not matter which process started a job. An app
that restarts after ``kill -9`` finds the trainer that is still running, and two apps on one home never
run two trainers at once.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.core.errors import RequestError, UnavailableError
from smartbreed.core.files import disk_errors, make_dirs
from smartbreed.training_jobs.job import TRIGGERS, Job, JobSpec, read_job, save_end, save_spec
from smartbreed.training_jobs.job_lock import JobLock
from smartbreed.training_jobs.process import GRACE_S, spawn, stop, trainer_command
from smartbreed.training_jobs.workspace import remove_leftovers

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings

log = logging.getLogger(__name__)

MODES = ("head", "full")
#: Stages in which the trainer may be writing to the Hub: killing it there would leave half a release.
PUBLISHING = ("export", "publish")
#: Jobs whose folders are kept, the newest ones.
_KEPT = 50
#: File of a job. The process that started the job keeps it locked, so that others see whether it still lives.
_STARTER = "starter"
_POLL_S = 0.5
#: Most bytes of output: a trainer that prints more is faulty and is stopped before it fills the disk.
_FLOOD = 50_000_000


class Jobs:
    """The interface to retrainings; safe for any number of threads and processes.

    Args:
        settings: settings whose ``home_dir`` holds the jobs.
        command: command to run instead of ``python -m training.retrain``.
    """

    def __init__(self, settings: Settings, command: Sequence[str] | None = None) -> None:
        self.settings = settings
        self._command = list(command) if command else None
        self._folder = settings.home_dir / "retraining" / "jobs"
        self._job_lock = JobLock(settings.home_dir / "retraining" / "lock")
        self._guard = threading.Lock()
        self._watched: dict[str, threading.Thread] = {}
        self._started: dict[str, ExitStack] = {}  # by job; each holds the lock of its `_STARTER`
        #: Called with each job that this process sees end; exceptions are only logged.
        self.on_end: list[Callable[[Job], None]] = []

    def start(
        self, mode: str = "head", *, publish: bool = True, trigger: str = "hand", accepted: int = 0
    ) -> Job:
        """Start a retraining in a separate process and return at once.

        Args:
            mode: one of `MODES`.
            publish: whether a version that passes the gate is published.
            trigger: a key of `smartbreed.training_jobs.job.TRIGGERS`.
            accepted: accepted photos known now; recorded with the job.

        Raises:
            RequestError: unknown mode or trigger.
            UnavailableError: ``retraining_running`` (409) if one is running already, whichever process
                started it; ``not_installed`` if the trainer's packages are missing.
            StorageError: the disk refused; nothing runs.
        """
        if trigger not in TRIGGERS:
            raise RequestError(
                "unknown_trigger", f"The triggers are {', '.join(TRIGGERS)}. Received: {trigger!r}"
            )
        if mode not in MODES:
            raise RequestError("unknown_mode", f"The modes are {', '.join(MODES)}. Received: {mode!r}")
        command = self._command or trainer_command()
        now = dt.datetime.now(dt.UTC)
        spec = JobSpec(
            f"{now:%Y%m%dT%H%M%S}Z-{secrets.token_hex(3)}", mode, publish, trigger, now, int(accepted)
        )
        with disk_errors("The retraining could not start"):
            make_dirs(self._folder)
        with self._job_lock.take(spec.id) as lock:
            if lock is None:
                raise _busy()
            remove_leftovers(self.settings.home_dir)
            folder, starter = self._folder / spec.id, ExitStack()
            try:
                with disk_errors("The retraining could not start"):
                    make_dirs(folder)
                starter.enter_context(JobLock(folder / _STARTER).take(spec.id))
                save_spec(folder, spec)
                arguments = [
                    *command,
                    *("--mode", mode, "--home", str(self.settings.home_dir)),
                    *("--publish" if publish else "--no-publish", "--progress", "json"),
                ]
                process = spawn(arguments, folder, self.settings, lock)
            except BaseException:
                starter.close()
                shutil.rmtree(folder, ignore_errors=True)
                raise
        self._started[spec.id] = starter
        self._watch(spec.id, process)
        self._prune()
        job = self.get(spec.id)
        assert job is not None  # its folder has just been written
        return job

    def check_free(self) -> None:
        """Fail if `start` would fail because a retraining is running.

        Raises:
            UnavailableError: ``retraining_running`` (409).
        """
        if self._job_lock.holder() is not None:
            raise _busy()

    def current(self) -> Job | None:
        """Return the running job, whichever process started it; None if there is none."""
        name = self._job_lock.holder()
        return read_job(self._folder / name, alive=True) if name and _is_name(name) else None

    def get(self, job_id: str) -> Job | None:
        """Return a job as it is now; None if there is no such job."""
        if not _is_name(job_id):
            return None
        alive = self._job_lock.holder() == job_id
        return read_job(self._folder / job_id, alive=alive)

    def latest(self) -> Job | None:
        """Return the job that started last, running or not; None if there is none."""
        found = self.recent(1)
        return found[0] if found else None

    def recent(self, limit: int = _KEPT) -> list[Job]:
        """Return the latest jobs, newest first, at most `limit`."""
        holder = self._job_lock.holder()
        jobs: list[Job] = []
        for name in self._names():
            if (job := read_job(self._folder / name, alive=name == holder)) is not None:
                jobs.append(job)
            if len(jobs) >= limit:
                break
        return jobs

    def cancel(self, grace_s: float = GRACE_S) -> bool:
        """Ask the running job to stop, and kill it later if it does not; return False if none is running.

        A job that is publishing gets `smartbreed.training_jobs.process.PUBLISHING_S` longer to finish.

        Args:
            grace_s: seconds before it is killed.
        """
        name = self._job_lock.holder()
        if not name or not _is_name(name):
            return False
        with suppress(OSError):  # stop it even if the reason cannot be recorded
            (self._folder / name / "cancelled").touch()

        def publishes() -> bool:
            job = self.get(name)
            return job is not None and job.progress.stage in PUBLISHING

        stop(self._folder / name, lambda: self._job_lock.holder() == name, grace_s, publishes)
        return True

    def adopt(self) -> Job | None:
        """Watch the running job as if it had been started here, after a restart of the app; return it.

        If the process that started it still lives, as another replica, `close` does not stop the job.
        Also remove the work folders of trainers that were killed meanwhile.
        """
        remove_leftovers(self.settings.home_dir)
        job = self.current()
        if job is not None:
            self._watch(job.spec.id, None)
        return job

    def wait(self, job_id: str, timeout: float | None = None) -> Job | None:
        """Wait until a job watched here has ended and all listeners were called.

        Args:
            job_id: the job.
            timeout: most seconds to wait; None for no limit.

        Returns:
            The job as it is then; None if there is no such job.
        """
        with self._guard:
            thread = self._watched.get(job_id)
        if thread is not None:
            thread.join(timeout)
        return self.get(job_id)

    def close(self, grace_s: float = GRACE_S) -> None:
        """Stop the job that this process started, or adopted from one that died, as the app is stopping."""
        with self._guard:
            watched = dict(self._watched)
        running = self._job_lock.holder()
        if running in watched:
            if self._is_of_another(running):
                del watched[running]
            else:
                self.cancel(grace_s)
        for thread in watched.values():
            thread.join(grace_s + 5)

    def _is_of_another(self, name: str) -> bool:
        """Return whether another process started a job and still lives."""
        return name not in self._started and JobLock(self._folder / name / _STARTER).holder() is not None

    def _watch(self, name: str, process: subprocess.Popen[bytes] | None) -> None:
        with self._guard:
            if name in self._watched:
                return
            thread = threading.Thread(
                target=self._follow, args=(name, process), name="retraining", daemon=True
            )
            self._watched[name] = thread
            thread.start()

    def _follow(self, name: str, process: subprocess.Popen[bytes] | None) -> None:
        """Wait for the end of a job, record it and call all listeners."""
        folder = self._folder / name
        status: int | None = None
        flooded = False
        while True:
            if process is not None:
                with suppress(subprocess.TimeoutExpired):
                    status = process.wait(_POLL_S)
                    break
            elif self._job_lock.holder() != name:
                break
            else:
                threading.Event().wait(_POLL_S)
            if not flooded and _size(folder / "progress.jsonl") + _size(folder / "log.txt") > _FLOOD:
                flooded = True
                log.error("the retraining printed over %d bytes and is stopped", _FLOOD)
                stop(folder, lambda: self._job_lock.holder() == name, 2.0)
        if process is not None and self._job_lock.holder() == name:  # child processes it left behind
            stop(folder, lambda: self._job_lock.holder() == name, 1.0).join()
        save_end(folder, status)
        remove_leftovers(self.settings.home_dir)
        with self._guard:
            self._watched.pop(name, None)
        if starter := self._started.pop(name, None):
            starter.close()
        job = self.get(name)
        if job is None:
            return
        log.info("retraining %s: %s %s", name, job.state, job.sentence)
        for reported in self.on_end:
            try:
                reported(job)
            except Exception:
                log.exception("what follows a retraining failed")

    def _names(self) -> list[str]:
        with suppress(OSError):
            return sorted((path.name for path in self._folder.iterdir() if _is_name(path.name)), reverse=True)
        return []

    def _prune(self) -> None:
        for name in self._names()[_KEPT:]:
            shutil.rmtree(self._folder / name, ignore_errors=True)


def _busy() -> UnavailableError:
    return UnavailableError(
        "retraining_running", "A retraining is already running; wait for it or cancel it first.", status=409
    )


def _is_name(name: str) -> bool:
    return name.replace("-", "").isalnum() and name.isascii() and len(name) < 64


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
