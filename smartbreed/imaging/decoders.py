"""Decode with a deadline: costly files in worker processes, ordinary ones in this process.

A thread cannot be stopped from outside, and some decoders hold the interpreter's lock, so that meanwhile
no other visitor would be answered. So one of a few worker processes decodes what may take long, and is
killed when its time is up. Workers start when the first such file comes, and stay.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.core.errors import PHOTO_CODES, PhotoError
from smartbreed.imaging import decoding
from smartbreed.imaging.admission import WORKERS, busy
from smartbreed.imaging.colour import Pixels

log = logging.getLogger(__name__)

#: Maximum work done in this process, in the unit of `decoding.decode`: about half a second.
MOST_WORK = 40_000_000
#: Seconds until a worker must answer, and additional seconds per byte of memory that its file may take. A
#: HEIC of 60 megapixels gets 30 s; it took 11 s on two cores that had as much other work.
DEADLINE_S, SECONDS_A_BYTE = 10.0, 1 / 27_000_000
#: Seconds until a new worker must be ready.
_START_S = 120.0
#: Number of answers after which a worker is replaced, so that leaks of its decoders do not add up.
_MOST_ANSWERS = 500
_COMMAND = (sys.executable, "-m", "smartbreed.imaging.decoding_worker")
_ROOT = Path(__file__).resolve().parents[2]
#: Prefixes of environment variables that are withheld from workers; some are secrets.
_PRIVATE = ("HF_", "SMARTBREED_")

#: Returns a context in which a worker may be used; entering it may wait or raise `PhotoError`.
Turn = Callable[[], AbstractContextManager[None]]


class _Lost(Exception):
    """A worker no longer answers.

    Attributes:
        late: True if it was killed because its time was up.
    """

    def __init__(self, *, late: bool = False) -> None:
        super().__init__("it took too long" if late else "it ended")
        self.late = late


class _Worker:
    """A worker process, ready once the constructor returns; used from one thread at a time.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.answers = 0
        self._connection, other = Pipe()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
        path = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
        with other:
            self._process = subprocess.Popen(
                [*command, str(other.fileno())],
                cwd=_ROOT,
                env={**environment, "PYTHONPATH": os.pathsep.join(path)},
                stdin=subprocess.PIPE,  # never written to; closing it ends the worker
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )
        self.pid = self._process.pid
        # Runs at the latest when the interpreter exits.
        self._stop = weakref.finalize(self, _stop, self._process, self._connection)
        try:
            self._receive(_START_S)
        except _Lost as lost:
            raise OSError(errno.ECHILD, str(lost)) from None

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], descriptor: int, seconds: float) -> dict[str, Any]:
        """Send a request with the memory it is about, and wait for the answer.

        Raises:
            _Lost: there was no answer in time, or no valid one; the worker is gone.
        """
        self.answers += 1
        try:
            self._connection.send_bytes(json.dumps({**request, "seconds": seconds}).encode())
            send_handle(self._connection, descriptor, self.pid)
        except OSError:
            self.close()
            raise _Lost from None
        try:
            answer = json.loads(self._receive(seconds))
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.close()
            raise _Lost
        return answer

    def _receive(self, seconds: float) -> bytes:
        try:
            if self._connection.poll(seconds):
                return self._connection.recv_bytes(10_000)
        except (EOFError, OSError):
            self.close()
            raise _Lost from None
        self.close()
        raise _Lost(late=True)

    def close(self) -> None:
        """Kill the process and wait until it is gone."""
        self._stop()

    def forget(self) -> None:
        """Leave the process to the one that started it, of which this one is a fork."""
        self._stop.detach()


def _stop(process: subprocess.Popen[bytes], connection: Connection) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    connection.close()


class Decoders:
    """A pool of worker processes; safe to use from many threads, which wait for a free worker.

    Args:
        size: maximum number of processes.
        deadline_s: as `DEADLINE_S`.
        command: starts a worker; the number of a file descriptor is appended to it.
    """

    def __init__(
        self, size: int = WORKERS, *, deadline_s: float = DEADLINE_S, command: Sequence[str] = _COMMAND
    ) -> None:
        self._size, self._deadline_s, self._command = size, deadline_s, command
        self._begin()

    def _begin(self) -> None:
        self._closings = 0
        self._turns = threading.Semaphore(self._size)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        with self._lock:
            return [worker.pid for worker in (*self._idle, *self._busy)]

    def decode(
        self, data: bytes, max_pixels: int, admit: decoding.Admit | None = None, *, reduce: bool = False,
        turn: Turn = nullcontext,
    ) -> tuple[Pixels, tuple[int, int]]:  # fmt: skip
        """Decode a file in a worker, as `decoding.decode` does.

        No worker is held while waiting for memory.

        Raises:
            PhotoError: as from `decoding.decode`; ``too_slow``: it took longer than the deadline;
                ``damaged``: the worker crashed or gave an invalid answer; ``busy``: no worker can be started,
                or `close` was called meanwhile.
        """
        closings = self._closings
        kind = decoding.sniff(data) or "file"
        granted = 0
        with _memory(data) as descriptor:
            while True:
                request = {
                    "length": len(data), "max_pixels": max_pixels, "reduce": reduce, "granted": granted
                }  # fmt: skip
                seconds = self._deadline_s * (1 + granted * SECONDS_A_BYTE / DEADLINE_S)
                answer = self._ask(kind, request, descriptor, seconds, turn, closings)
                if "needs" not in answer:
                    return _pixels(kind, answer, descriptor, max_pixels)
                needed = answer["needs"]
                if not isinstance(needed, int) or not granted < needed <= decoding.most_memory(max_pixels):
                    raise decoding.damaged(kind)
                if admit is not None:
                    admit(needed - granted)
                granted = needed

    def close(self) -> None:
        """Kill all workers. Files being decoded fail with ``busy``; the next file starts new workers."""
        with self._lock:
            self._closings += 1
            workers, self._idle = [*self._idle, *self._busy], []
        for worker in workers:
            worker.close()

    def forget(self) -> None:
        """Start afresh without the workers, in a fork of the process that started them."""
        for worker in (*self._idle, *self._busy):
            worker.forget()
        self._begin()

    def _ask(
        self,
        kind: str,
        request: dict[str, Any],
        descriptor: int,
        seconds: float,
        turn: Turn,
        closings: int,
    ) -> dict[str, Any]:
        again = False
        while True:
            with turn():
                try:
                    with self._worker(closings, new=again) as worker:
                        return worker.ask(request, descriptor, seconds)
                except _Lost as lost:
                    if closings != self._closings:
                        raise busy() from None
                    log.warning("A worker that decoded a %s was lost: %s.", kind, lost)
                    if lost.late:
                        most = max(1, round(seconds))
                        raise PhotoError(
                            "too_slow",
                            f"Decoding the {kind} took more than {most} seconds and was stopped. "
                            "Save it as an ordinary JPEG, and send that.",
                        ) from None
                    if again or worker.answers == 1:
                        raise decoding.damaged(kind) from None
                    again = True  # it was idle, and may have ended before it got this file
                except OSError as error:
                    log.error("No worker can be started: %s", error.strerror)
                    raise busy() from None

    @contextmanager
    def _worker(self, closings: int, *, new: bool) -> Iterator[_Worker]:
        with self._turns:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if new and worker is not None:
                worker.close()
            if worker is None or not worker.alive:
                worker = _Worker(self._command)
            with self._lock:
                self._busy.add(worker)
            try:
                if closings != self._closings:  # during the wait, or while the worker started
                    worker.close()
                    raise busy()
                yield worker
            except BaseException:  # such as KeyboardInterrupt: its answer would be taken for the next file's
                worker.close()
                raise
            finally:
                with self._lock:
                    self._busy.discard(worker)
                    stays = worker.alive and worker.answers < _MOST_ANSWERS
                    if stays:
                        self._idle.append(worker)
                if not stays:
                    worker.close()


@contextmanager
def _memory(data: bytes) -> Iterator[int]:
    """Yield the descriptor of shareable memory that contains the file."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("photo", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield descriptor
    finally:
        os.close(descriptor)


def _pixels(
    kind: str, answer: dict[str, Any], descriptor: int, max_pixels: int
) -> tuple[Pixels, tuple[int, int]]:
    """Return the pixels that a worker left in the shared memory, or raise the error that it answered."""
    if "code" in answer:
        if answer["code"] not in PHOTO_CODES:
            raise decoding.damaged(kind)
        raise PhotoError(answer["code"], str(answer["message"]))
    try:
        height, width, full = int(answer["height"]), int(answer["width"]), tuple(map(int, answer["full"]))
    except (KeyError, TypeError, ValueError):
        raise decoding.damaged(kind) from None
    if len(full) != 2 or min(height, width, *full) < 1 or height * width > max_pixels:
        raise decoding.damaged(kind)
    with contextlib.suppress(OSError, AttributeError):  # a plain file, or not Linux
        # If a worker taken over by a photo truncated it later, reading a pixel would kill this process.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    try:
        memory = mmap.mmap(descriptor, height * width * 3, prot=mmap.PROT_READ)
    except (OSError, ValueError):  # the memory is shorter
        raise decoding.damaged(kind) from None
    return np.frombuffer(memory, np.uint8).reshape(height, width, 3), (full[0], full[1])


#: The workers of this process.
shared = Decoders()
os.register_at_fork(after_in_child=shared.forget)


def decode(
    data: bytes, max_pixels: int, admit: decoding.Admit | None = None, *, reduce: bool = False,
    turn: Turn = nullcontext,
) -> tuple[Pixels, tuple[int, int]]:  # fmt: skip
    """Decode a file: in this process if that is certain to be quick, else in a worker.

    Args:
        data, max_pixels, admit, reduce: as for `decoding.decode`.
        turn: entered while a worker is used.

    Raises:
        PhotoError: as from `decoding.decode` and `Decoders.decode`.
    """
    try:
        return decoding.decode(data, max_pixels, admit, reduce=reduce, most_work=MOST_WORK)
    except decoding.TooCostly:
        return shared.decode(data, max_pixels, admit, reduce=reduce, turn=turn)
