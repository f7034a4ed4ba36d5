"""One retraining job on disk: its parameters, the output of its process, and how it ended.

The folder ``SMARTBREED_HOME/retraining/jobs/<id>/`` holds:

* ``job.json``: the parameters
* ``pid``: the process id, written by the process itself
* ``progress.jsonl`` and ``log.txt``: its stdout and stderr, written directly to disk, so that nothing is
  lost if the app that started it dies
* ``cancelled``: empty; it exists if the job was cancelled
* ``ended.json``: the end of the process as the app saw it, if the app lived
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from smartbreed.core.files import disk_errors, replace_durably, write_tmp
from smartbreed.training_jobs.progress import Progress, fold

#: Outcomes in which no new model was made, with the sentence for each.
NO_MODEL = MappingProxyType(
    {
        "nothing_new": (
            "No new model was made: the current one has already learnt everything that was accepted."
        ),
        "too_few": "No new model was made: too few new photos have been accepted.",
    }
)
#: Possible values of `Job.state`.
STATES = ("running", "released", "passed", "refused", *NO_MODEL, "failed", "cancelled", "lost")
#: What can start a retraining, with the wording for a sentence.
TRIGGERS = {
    "hand": "started by hand",
    "count": "started by the number of accepted photos",
    "schedule": "started on schedule",
    "webhook": "started by a change of the dataset",
}
#: Bytes read from the end of a job's output, and from the end of its log.
_MOST_OUTPUT = 1_000_000
_TAIL_BYTES = 2_000
#: Free space in bytes below which the disk counts as full.
_FULL_DISK = 1_000_000


@dataclass(frozen=True)
class JobSpec:
    """The parameters of a retraining.

    Attributes:
        id: UTC time and a random suffix; ids sort by time.
        mode: ``head`` or ``full``.
        publish: whether a new version that passes the gate is published.
        trigger: a key of `TRIGGERS`.
        started_at: aware, UTC.
        accepted: number of accepted photos that waited when it started.
    """

    id: str
    mode: str
    publish: bool
    trigger: str
    started_at: dt.datetime
    accepted: int = 0


@dataclass(frozen=True)
class Job:
    """A snapshot of a retraining.

    Attributes:
        spec: its parameters.
        state: one of `STATES`.
        progress: its progress so far.
        sentence: the outcome, for people; empty while it runs.
        ended_at: when it ended; None while it runs.
        stderr_tail: the end of its log, for maintainers, if it failed or was lost; else empty.
    """

    spec: JobSpec
    state: str
    progress: Progress
    sentence: str = ""
    ended_at: dt.datetime | None = None
    stderr_tail: str = field(default="", repr=False)

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def seconds(self) -> float:
        """Duration in seconds, until now if it is still running."""
        return max(0.0, ((self.ended_at or dt.datetime.now(dt.UTC)) - self.spec.started_at).total_seconds())


def save_spec(folder: Path, spec: JobSpec) -> None:
    """Write ``job.json`` into a new folder.

    Raises:
        StorageError: the disk refused.
    """
    values = {**asdict(spec), "started_at": spec.started_at.isoformat()}
    with disk_errors("The retraining could not start"):
        replace_durably(write_tmp(folder, "job", json.dumps(values).encode()), folder / "job.json")


def save_end(folder: Path, status: int | None) -> None:
    """Record that the process has ended, and its exit status (None if unknown); never raises."""
    if (folder / "ended.json").exists():
        return
    values = {"status": status, "ended_at": dt.datetime.now(dt.UTC).isoformat()}
    with suppress(OSError):
        replace_durably(write_tmp(folder, "ended", json.dumps(values).encode()), folder / "ended.json")


def read_job(folder: Path, *, alive: bool) -> Job | None:
    """Return a job as it is now; None if the folder does not hold one.

    Args:
        folder: the job's folder.
        alive: whether its process lives, according to `smartbreed.training_jobs.job_lock.JobLock.holder`;
            ask *before* this call, so that its last line is not missed.
    """
    spec = _spec(folder)
    if spec is None:
        return None
    progress = fold(_lines(folder / "progress.jsonl"))
    if alive:
        return Job(spec, "running", progress)
    ended = _json(folder / "ended.json")
    state, sentence = _outcome(folder, progress, ended.get("status"))
    words = _tail(folder / "log.txt") if state in ("failed", "lost") else ""
    return Job(spec, state, progress, sentence, _ended_at(folder, ended, spec), words)


def process_group(folder: Path) -> int | None:
    """Return the trainer's process group, which equals its process id; None if unknown."""
    with suppress(OSError, ValueError):
        return int((folder / "pid").read_text(encoding="ascii"))
    return None


def _outcome(folder: Path, progress: Progress, status: object) -> tuple[str, str]:
    result = progress.result
    if result is not None:
        if result.passed and result.published:
            return "released", f"Version {result.version} is published."
        if result.passed:
            return "passed", "The new model passed every check; it was not published."
        if result.outcome in NO_MODEL:
            return result.outcome, NO_MODEL[result.outcome]
        return "refused", "The new model was not good enough, so nothing was published."
    if (folder / "cancelled").exists():
        return "cancelled", "It was stopped; nothing was published."
    if progress.error:
        reported = progress.error.rstrip(".")
        return (
            "failed",
            f"{reported}." if "nothing was published" in reported else f"{reported}. Nothing was published.",
        )
    return "lost", f"{_why_lost(folder, status)} Nothing was published; you can start it again."


def _why_lost(folder: Path, status: object) -> str:
    with suppress(OSError):
        if shutil.disk_usage(folder).free < _FULL_DISK:
            return "It ended without a result, and the disk is full: free some space."
    if not isinstance(status, int):
        return "Its process disappeared without a result; the machine or the app was probably stopped."
    if status == -signal.SIGKILL:
        return "Its process was killed (signal 9), often because memory ran out."
    if status < 0:
        return f"Its process was ended by signal {-status}."
    return f"Its process ended without a result (exit status {status})."


def _spec(folder: Path) -> JobSpec | None:
    values = _json(folder / "job.json")
    try:
        return JobSpec(**{**values, "started_at": dt.datetime.fromisoformat(values["started_at"])})
    except (KeyError, TypeError, ValueError):
        return None


def _ended_at(folder: Path, ended: dict[str, Any], spec: JobSpec) -> dt.datetime:
    with suppress(KeyError, TypeError, ValueError):
        return dt.datetime.fromisoformat(ended["ended_at"])
    with suppress(OSError):
        return dt.datetime.fromtimestamp((folder / "progress.jsonl").stat().st_mtime, dt.UTC)
    return spec.started_at


def _json(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        values = json.loads(path.read_bytes())
        return values if isinstance(values, dict) else {}
    return {}


def _lines(path: Path) -> list[str]:
    """Return the complete lines of a file; of a very large file, only the last ones."""
    text = _end_of(path, _MOST_OUTPUT).decode(errors="replace")
    return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _tail(path: Path) -> str:
    return _end_of(path, _TAIL_BYTES).decode(errors="replace").strip()


def _end_of(path: Path, most: int) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most)
    return b""
