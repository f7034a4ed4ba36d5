"""Servers for benchmarks: the app, and minimal Blocks apps for comparison."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sides import REPOSITORY

#: Command that starts the app.
APP = (sys.executable, "app.py")
#: Command that starts an empty Blocks app.
EMPTY = (
    sys.executable,
    "-c",
    """
import gradio as gr
with gr.Blocks() as demo:
    gr.Markdown("empty")
demo.launch(quiet=True)
""",
)
#: Command that starts a Blocks app; its endpoint ``echo`` takes a photo as ``identify`` does and returns its
#: size.
ECHO = (
    sys.executable,
    "-c",
    """
import os
import gradio as gr
async def echo(photo: gr.FileData) -> dict:
    return {"bytes": os.path.getsize(photo["path"])}
with gr.Blocks() as demo:
    gr.api(echo, api_name="echo", queue=False)
demo.launch(quiet=True)
""",
)
#: Time limit for a server's start, and interval between checks whether it answers, in seconds.
_START_S, _EVERY_S = 240.0, 0.02


@dataclass(frozen=True)
class Server:
    """A running server whose page answers.

    Attributes:
        url: address with a slash at its end.
        process: the server's process.
        log: file with its stderr.
        seconds: time from its start to its first page, in seconds.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    seconds: float


@contextmanager
def served(command: Sequence[str], folder: Path | None = None) -> Iterator[Server]:
    """Run a server with default settings and its own home during the block.

    Args:
        command: command that starts a server on ``GRADIO_SERVER_PORT``.
        folder: folder for home, uploads and log; None for a temporary one.

    Raises:
        RuntimeError: the server does not start; the message has its log.
    """
    with tempfile.TemporaryDirectory() as own:
        folder = folder or Path(own)
        port, log = _free_port(), folder / "log"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SMARTBREED_", "GRADIO_"))
        }
        environment = {
            **kept,
            "SMARTBREED_HOME": str(folder / "home"),
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        url, started = f"http://127.0.0.1:{port}/", time.perf_counter()
        with log.open("w") as out:
            process = subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=out
            )
        try:
            while not _answers(url):
                if process.poll() is not None or time.perf_counter() - started > _START_S:
                    raise RuntimeError(f"The server did not start:\n{log.read_text()}")
                time.sleep(_EVERY_S)
            yield Server(url, process, log, time.perf_counter() - started)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """Run the app during the block, and yield address, process and log once it logs that it serves.

    Raises:
        RuntimeError: the app does not start; the message has its log.
    """
    with served(APP, folder) as found:
        deadline = time.monotonic() + _START_S
        while "serving on" not in found.log.read_text():
            if found.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{found.log.read_text()}")
            time.sleep(_EVERY_S)
        yield found.url, found.process, found.log


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            answer.read()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
