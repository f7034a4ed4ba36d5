"""A real server in its own process, as users start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = Path(__file__).parent
#: `fake_trainer` in a process of its own; one more word says what it does.
FAKE_TRAINER = [sys.executable, str(SUPPORT / "fake_trainer.py")]
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
        if not name.startswith(("SMARTBREED_", "GRADIO_")) or name == "SMARTBREED_MODEL"
    }
    return kept | {
        "SMARTBREED_HOME": str(folder / "home"),
        "SMARTBREED_MAX_BYTES": str(MAX_BYTES),
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "PYTHONPATH": str(ROOT),
        **changes,
    }


class Server:
    """``python app.py`` on a free port.

    Args:
        folder: an empty folder for home, uploads and log.
        command: instead of ``python app.py``.
        changes: further environment variables.

    Attributes:
        url: address with a slash at the end.
        home: its ``SMARTBREED_HOME``.
        uploads: where its uploads go.
    """

    def __init__(self, folder: Path, *, command: list[str] | None = None, **changes: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.home = folder / "home"
        self.uploads = folder / "uploads"
        self.uploads.mkdir(parents=True)
        self._log = folder / "log"
        self.stdout = folder / "stdout"
        with self._log.open("w") as log, self.stdout.open("w") as out:
            self.process = subprocess.Popen(
                command or [sys.executable, "app.py"],
                cwd=ROOT,
                env=environment(folder, GRADIO_SERVER_PORT=str(self.port), **changes),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )

    def wait_until_ready(self, seconds: float = 120) -> None:
        """Wait for the line that says where it serves."""
        deadline = time.monotonic() + seconds
        while "serving on" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"The server did not start:\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        """Everything it said on stderr so far."""
        return self._log.read_text(errors="replace")

    def files(self) -> set[str]:
        """Every file under its home."""
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file()}

    def stop(self) -> int:
        """Ask it to stop; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
