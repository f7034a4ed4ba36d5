"""Processes that begin with everything imported: ``python app.py`` and ``smartbreed …`` in milliseconds.

Importing what a server needs takes seconds of processor time, and the tests start some hundred of them. A
process that has imported it all is therefore kept, one for each worker of the tests, and forks what is asked
for: an interpreter with the same modules, and arguments, environment, folder and files of its own. What is
about starting itself, about what is imported, or needs variables that libraries read when they are imported,
takes a new interpreter (`may_fork` says when).
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: What may be forked: its first words.
_PROGRAMS = (
    ("app.py",),
    ("-m", "smartbreed"),
    (str(ROOT / "tests" / "support" / "run_with_fake_trainer.py"),),
    (str(ROOT / "tests" / "support" / "run_elsewhere.py"),),
)
#: Variables that are read when they are needed and not when something is imported, by how their names begin.
_READ_LATE = (
    "SMARTBREED_",
    "PYTEST_",
    "GRADIO_SERVER_",
    "GRADIO_TEMP_DIR",
    "TMPDIR",
    "PYTHONPATH",
    "HF_TOKEN",
    # What we set ourselves while something is imported, here as there.
    "HF_HUB_DISABLE_",
    "GRADIO_ANALYTICS_",
)
#: Variables that the process that forks lacks.
_NOT_KEPT = ("SMARTBREED_", "GRADIO_", "HF_", "PYTEST_", "OTEL_", "PYTHONPATH")
#: Options of `subprocess.Popen` that a fork knows.
_OPTIONS = {"stdin", "stdout", "stderr", "cwd", "env", "text", "start_new_session"}

_lock = threading.Lock()
_kept: Forking | None = None


class Forking:
    """The process that forks, and the way to ask it."""

    def __init__(self) -> None:
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_NOT_KEPT)
        }
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.forks", str(theirs.fileno())],
            cwd=ROOT,
            env={**self.environment, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        atexit.register(self.close)

    def ask(self, order: Mapping[str, Any], files: Sequence[int] = ()) -> int:
        """Send an order with open files; its answer, a pid or a status."""
        with _lock:
            socket.send_fds(self._socket, [json.dumps(order).encode()], files)
            answer = self._socket.recv(100)
        if not answer:
            raise RuntimeError("The process that forks has ended.")
        return int(answer)

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


class Fork(subprocess.Popen[Any]):
    """A process that `Forking` forked, as if it had been started from here.

    Args:
        words: what follows ``python``.
        options: of `subprocess.Popen`, those of `_OPTIONS`.
    """

    def __init__(self, words: Sequence[str], **options: Any) -> None:
        forking = _forking()
        self.args = [sys.executable, *words]
        self.returncode = None
        self.text_mode = options.get("text")
        self.encoding = self.errors = None
        self.pipesize = -1
        self._input = None
        self._communication_started = False
        self._child_created = True
        self._sigint_wait_secs = 0.25
        self._waitpid_lock = threading.Lock()
        given, ours = [], []
        for name, mode in (("stdin", "w"), ("stdout", "r"), ("stderr", "r")):
            file, here = _file(options.get(name), mode, given)
            given.append(file)
            ours.append(here)
        self.stdin, self.stdout, self.stderr = (
            None if here is None else self._opened(here, mode) for here, mode in zip(ours, "wrr", strict=True)
        )
        environment = options.get("env")
        order = {
            "words": list(words),
            "env": dict(os.environ if environment is None else environment),
            "cwd": str(options.get("cwd") or Path.cwd()),
            "umask": _umask(),
            "session": bool(options.get("start_new_session")),
        }
        try:
            self.pid = forking.ask(order, given)
            self._ended = os.pidfd_open(self.pid)
        finally:
            for file in {*given} - {0, 1, 2}:
                os.close(file)

    def _opened(self, descriptor: int, mode: str) -> Any:
        if self.text_mode:
            return open(descriptor, mode)
        return open(descriptor, f"{mode}b")

    def _has_ended(self, timeout: float | None) -> bool:
        waiting = select.poll()  # select itself knows no descriptor past 1024
        waiting.register(self._ended, select.POLLIN)
        return bool(waiting.poll(None if timeout is None else 1000 * timeout))

    def _take_status(self) -> None:
        with self._waitpid_lock:
            if self.returncode is None:
                self.returncode = _forking().ask({"reap": self.pid})
                os.close(self._ended)

    # What Popen's own methods are made of.

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and self._has_ended(0):
            self._take_status()
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            if not self._has_ended(timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._take_status()
        assert self.returncode is not None
        return int(self.returncode)


def may_fork(words: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether ``python WORDS`` is a program of ours that a fork runs as a new interpreter would."""
    known = any(tuple(words[: len(program)]) == program for program in _PROGRAMS)
    if not known or set(options) - _OPTIONS or "COVERAGE_PROCESS_CONFIG" in os.environ:
        return False
    if words[0] == "app.py" and Path(options.get("cwd") or Path.cwd()) != ROOT:
        return False
    given = dict(os.environ if options.get("env") is None else options["env"])
    kept = _forking().environment
    differ = {name for name in {*given, *kept} if given.get(name) != kept.get(name)}
    return (
        all(name.startswith(_READ_LATE) for name in differ)
        and given.get("PYTHONPATH") == str(ROOT)
        and (bool(given.get("GRADIO_TEMP_DIR")) or not {"app.py", "serve"} & {*words})
    )


def _forking() -> Forking:
    global _kept
    with _lock:
        if _kept is None:
            _kept = Forking()
        return _kept


def _file(wanted: Any, mode: str, before: Sequence[int]) -> tuple[int, int | None]:
    """The file that the fork gets, and our end of a pipe."""
    if wanted is None:
        return {"w": 0, "r": 1 + (len(before) == 2)}[mode], None
    if wanted == subprocess.STDOUT:
        return os.dup(before[1]), None
    if wanted == subprocess.DEVNULL:
        return os.open(os.devnull, os.O_RDWR), None
    if wanted == subprocess.PIPE:
        read, write = os.pipe()
        return (read, write) if mode == "w" else (write, read)
    return os.dup(wanted if isinstance(wanted, int) else wanted.fileno()), None


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


# What follows runs in the process that forks, and in its forks.


def _import_everything() -> dict[str, str]:
    """Import what a server and the commands need; which variables that has set."""
    import smartbreed

    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # see tests/conftest.py
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
    before = dict(os.environ)
    for module in pkgutil.walk_packages(smartbreed.__path__, "smartbreed."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)
    importlib.import_module("gradio.mcp")
    importlib.import_module("uvicorn.protocols.http.auto")
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


def _answer(orders: socket.socket, imported: Mapping[str, str]) -> dict[str, Any] | None:
    """Answer orders. Returns in each fork with its own; without one once the tests have ended."""
    while True:
        message, files, *_ = socket.recv_fds(orders, 1 << 20, 3)
        if not message:
            return None
        order: dict[str, Any] = json.loads(message)
        if "reap" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["reap"], 0)[1])
        else:
            taken, taking = os.pipe()
            if (answer := os.fork()) == 0:
                orders.close()
                os.close(taken)
                _take_place({**order, "env": {**imported, **order["env"]}}, files)
                os.close(taking)
                return order
            os.close(taking)
            os.read(taken, 1)  # ends once the fork has, as Popen's start does
            os.close(taken)
        for file in files:
            os.close(file)
        orders.send(str(answer).encode())


def _take_place(order: Mapping[str, Any], files: Sequence[int]) -> None:
    """Be the process that was ordered, as far as its surroundings go."""
    if order["session"]:
        os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(number, name)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(order["umask"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    tempfile.tempdir = None  # asked for anew
    for name, module in list(sys.modules.items()):
        if name.startswith("gradio") and "DEFAULT_TEMP_DIR" in vars(module):
            module.DEFAULT_TEMP_DIR = order["env"].get("GRADIO_TEMP_DIR")  # type: ignore[attr-defined]


def _stream(number: int, name: str) -> io.TextIOWrapper:
    """What an interpreter makes of a standard file when it starts: that depends on whether it is a pipe."""
    before = getattr(sys, name)
    raw = io.FileIO(number, "w" if number else "r", closefd=False)
    raw.name = f"<{name}>"
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if number else io.BufferedReader(raw),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=number == 2 or raw.isatty(),
    )


def _run(words: Sequence[str]) -> None:
    """Be ``python WORDS``."""
    as_module = words[0] == "-m"
    target, *arguments = words[1:] if as_module else words
    first = Path.cwd() if as_module else Path(target).resolve().parent
    sys.path[:] = [str(first), *(path for path in sys.path[1:] if path != str(ROOT / "tests"))]
    sys.argv = [target, *arguments]
    sys.orig_argv = [sys.executable, *words]
    if as_module:
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(target, run_name="__main__")


def _main() -> None:
    orders = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(orders.fileno(), False)
    imported = _import_everything()
    assert threading.active_count() == 1, "only what has no threads can be forked"
    gc.collect()
    gc.freeze()
    order = _answer(orders, imported)
    if order is not None:
        _run(order["words"])


if __name__ == "__main__":
    _main()
