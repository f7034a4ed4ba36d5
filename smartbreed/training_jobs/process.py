"""Start and stop the trainer's process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from smartbreed.core.extras import require
from smartbreed.core.files import disk_errors, expanded
from smartbreed.core.settings import PREFIX, Settings
from smartbreed.training_jobs.job import process_group

#: The folder that holds both `smartbreed` and `training`.
ROOT = Path(__file__).resolve().parents[2]
#: Variables of the app's secret settings. The trainer needs none of them: it only uses files and the Hub, and
#: the Hub's token is no setting, but HF_TOKEN.
_SECRETS = frozenset(
    f"{PREFIX}{name.upper()}" for name, field in Settings.model_fields.items() if not field.repr
)
#: Niceness of the trainer, so that it gets only the CPU time that the app leaves over.
_NICENESS = 10
#: Seconds between SIGTERM and SIGKILL.
GRACE_S = 15.0
#: Further seconds that a trainer gets to finish publishing a release.
PUBLISHING_S = 120.0


def trainer_command() -> list[str]:
    """Return the command that starts the trainer.

    Raises:
        UnavailableError: the packages that it needs are not installed.
    """
    require("train", "On this server, retraining needs")
    return [sys.executable, "-m", "training.retrain"]


def spawn(command: Sequence[str], folder: Path, settings: Settings, lock: int) -> subprocess.Popen[bytes]:
    """Start `command` as a process that holds the lock and outlives the app.

    Args:
        command: the command to run.
        folder: the job's folder, which gets its output and its process id.
        settings: settings to pass on in its environment.
        lock: descriptor of the lock file, which the process inherits.

    Raises:
        StorageError: the disk or the system refused; nothing runs.
    """
    # The shell writes the process id and then becomes the trainer, so that a job can be stopped
    # even if the app dies at this moment.
    wrapped = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(folder / "pid"), *command]
    with (
        disk_errors("The retraining could not start"),
        (folder / "progress.jsonl").open("ab") as out,
        (folder / "log.txt").open("ab") as log,
    ):
        process = subprocess.Popen(
            wrapped,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            cwd=ROOT,
            env=environment(settings),
            pass_fds=(lock,),
            start_new_session=True,
        )
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
    return process


def environment(settings: Settings) -> dict[str, str]:
    """Return the trainer's environment: the app's, with the settings in force and without its secrets."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in _SECRETS and not name.startswith("GRADIO_")
    }
    for name in type(settings).model_fields:
        variable = f"{PREFIX}{name.upper()}"
        if variable not in _SECRETS:
            kept[variable] = str(getattr(settings, name))
    for name in ("base_dataset", "model"):
        folder = expanded(getattr(settings, name))
        if getattr(settings, name) and folder.is_dir():
            kept[f"SMARTBREED_{name.upper()}"] = str(folder.absolute())  # the trainer runs elsewhere
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **kept,
        "SMARTBREED_HOME": str(settings.home_dir),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": kept.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }


def stop(
    folder: Path,
    runs: Callable[[], bool],
    grace_s: float = GRACE_S,
    publishes: Callable[[], bool] = lambda: False,
) -> threading.Thread:
    """Ask the job's processes to stop, and kill them later if they do not.

    Args:
        folder: the job's folder.
        runs: returns whether the job holds the lock; only then is its process group sure to exist and to
            be its own.
        grace_s: seconds before the processes are killed.
        publishes: returns whether the job is publishing; then it gets up to `PUBLISHING_S` more.

    Returns:
        The thread that waits for the processes; once it has ended, they have stopped or were killed.
    """
    _signal(folder, signal.SIGTERM)

    def wait() -> None:
        give_up = time.monotonic() + grace_s
        while runs():
            late = time.monotonic() - give_up
            if late > PUBLISHING_S or (late > 0 and not publishes()):
                _signal(folder, signal.SIGKILL)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=wait, name="retraining-stop", daemon=True)
    thread.start()
    return thread


def _signal(folder: Path, number: signal.Signals) -> None:
    if (group := process_group(folder)) is not None and group > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
