"""Processes as users start them: the server, commands, and scripts that a test kills."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from support import forks
from support.clock import until

ROOT = Path(__file__).parents[2]
SUPPORT = Path(__file__).parent
#: `fake_trainer` in a process of its own; one more word says what it does.
FAKE_TRAINER = [sys.executable, str(SUPPORT / "fake_trainer.py")]
#: The server, started in another folder than the checkout.
ELSEWHERE = [sys.executable, str(SUPPORT / "run_elsewhere.py")]
#: ``smartbreed`` with the fake trainer; what it does stands in a file of the home.
WITH_FAKE_TRAINER = [sys.executable, str(SUPPORT / "run_with_fake_trainer.py")]
#: Small, so that a photo over the limit is quickly made and sent.
MAX_BYTES = 1_000_000


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a server or command with its home under ``folder``.

    The model is that of the caller's ``SMARTBREED_MODEL``, or the one that ships.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SMARTBREED_", "GRADIO_", "HF_")) or name == "SMARTBREED_MODEL"
    }
    return kept | {
        "SMARTBREED_HOME": str(folder / "home"),
        "SMARTBREED_MAX_BYTES": str(MAX_BYTES),
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "PYTHONPATH": str(ROOT),
        **changes,
    }


def start(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
    """``python WORDS`` in the checkout, in a process group of its own that no test run leaves behind.

    Args:
        options: of `subprocess.Popen`; stdout and stderr are pipes unless they say otherwise.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, "text": True} | options
    process = _begin([sys.executable, *map(str, words)], start_new_session=True, **options)
    atexit.register(kill, process)
    return process


def _begin(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """A process of its own: a fork where that will do, and else what the command says."""
    if command[0] == sys.executable and forks.may_fork(command[1:], options):
        return forks.Fork(command[1:], **options)
    return subprocess.Popen(command, **options)


def kill(process: subprocess.Popen[Any]) -> None:
    """End a process that `start` started with SIGKILL, and its group."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """``python WORDS`` in the checkout, to its end.

    Args:
        options: of `subprocess.run`.
    """
    options = {"capture_output": True, "cwd": ROOT, "text": True, "timeout": 290, "check": False} | options
    given, timeout, check = (options.pop(name, None) for name in ("input", "timeout", "check"))
    if options.pop("capture_output"):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if given is not None:
        options["stdin"] = subprocess.PIPE
    with _begin([sys.executable, *map(str, words)], **options) as process:
        try:
            said = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, *said)
    if check:
        done.check_returncode()
    return done


def smartbreed(
    folder: Path, *words: str | Path, stdin: bytes = b"", **changes: str
) -> subprocess.CompletedProcess[str]:
    """``smartbreed WORDS`` with its home under ``folder``; ``changes`` are environment variables."""
    done = run("-m", "smartbreed", *words, env=environment(folder, **changes), input=stdin, text=False)
    return subprocess.CompletedProcess(
        done.args, done.returncode, *map(os.fsdecode, (done.stdout, done.stderr))
    )


class Server:
    """``python app.py`` on a free port; as a context, ready at its begin and stopped at its end.

    Args:
        folder: a folder for home, uploads and log.
        command: instead of ``python app.py``.
        changes: further environment variables.

    Attributes:
        url: address with a slash at the end.
        home: its ``SMARTBREED_HOME``.
        uploads: where its uploads go.
        stdout: file of what it printed.
    """

    def __init__(self, folder: Path, *, command: list[str] | None = None, **changes: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.home = folder / "home"
        self.uploads = folder / "uploads"
        self.uploads.mkdir(parents=True)
        self._log = folder / "log"
        self.stdout = folder / "stdout"
        self._command = command or [sys.executable, "app.py"]
        self._environment = environment(folder, GRADIO_SERVER_PORT=str(self.port), **changes)
        self.start()

    def start(self) -> None:
        """Start it, or start it again on the same home and port."""
        self._before = len(self.log()) if self._log.exists() else 0
        with self._log.open("a") as log, self.stdout.open("a") as out:
            self.process = _begin(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(kill, self.process)

    def wait_until_ready(self) -> None:
        """Wait for the line that says where it serves."""
        with contextlib.suppress(AssertionError):
            until(lambda: self._serves() or self.process.poll() is not None)
        if not self._serves():
            raise RuntimeError(f"The server did not start:\n{self.log()}")

    def _serves(self) -> bool:
        return "serving on" in self.log()[self._before :]

    def log(self) -> str:
        """Everything it said on stderr so far."""
        return self._log.read_text(errors="replace")

    def files(self) -> set[str]:
        """Every file under its home."""
        # Unlike rglob, os.walk goes on when a folder is removed while it looks.
        found = (Path(folder, name) for folder, _, names in os.walk(self.home) for name in names)
        return {str(path.relative_to(self.home)) for path in found if path.is_file()}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, by a signal; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            kill(self.process)
            raise

    def __enter__(self) -> Self:
        try:
            self.wait_until_ready()
        except BaseException:
            kill(self.process)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
