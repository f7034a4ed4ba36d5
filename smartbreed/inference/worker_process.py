"""A child process that answers one framed request after the other."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from smartbreed.inference.messages import Frame, read_frame, write_frame

#: Bytes of the child's stderr that go to our log.
_TAIL_BYTES = 2000


class ChildLost(Exception):
    """The child ended, hung or spoke nonsense; it is of no use any more.

    Attributes:
        timed_out: it was stopped for taking too long.
    """

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class Child:
    """Starts ``command`` at once; ends with `close`, with this object, or with this process.

    Use it from one thread at a time; only `close` may be called at any time.

    Args:
        command: a program that reads frames from stdin and answers each with frames on stdout
            that carry the request's ``id``. Its stderr is kept for `stderr_tail`.
        cwd: its working directory.
        environment: all of its environment.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=cwd,
            env=dict(environment),
        )
        self._numbers = itertools.count(1)
        # Runs at the latest when the interpreter exits: no orphan stays behind.
        self._stop = weakref.finalize(self, _stop, self._process)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, header: Mapping[str, Any], body: bytes, timeout: float) -> Generator[Frame]:
        """Send a request and yield its replies, without end: the caller knows which one is the last.

        Close the iterator when done. Replies to an earlier request that no caller
        waited for are passed over.

        Args:
            header: JSON values; ``id`` is added.
            body: raw bytes.
            timeout: seconds after which the child is killed.

        Raises:
            ChildLost: no more replies will come.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        number = next(self._numbers)
        late = threading.Event()

        def stop() -> None:
            # Killing ends every read and write on its pipes, so nothing below can block for longer.
            late.set()
            self._process.kill()

        watch = threading.Timer(timeout, stop)
        watch.daemon = True
        watch.start()
        try:
            write_frame(stdin, {**header, "id": number}, body)
            while (frame := read_frame(stdout)) is not None:
                if frame[0].get("id") == number:
                    yield frame
            raise EOFError("The child closed its end.")
        except (OSError, EOFError, ValueError) as error:
            raise ChildLost(str(error), late.is_set()) from error
        finally:
            watch.cancel()

    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr."""
        try:
            size = self._stderr.seek(0, 2)
            self._stderr.seek(max(0, size - _TAIL_BYTES))
            return self._stderr.read().decode(errors="replace")
        except (OSError, ValueError):  # closed
            return ""

    def close(self) -> None:
        """Kill it (it has nothing to lose) and wait until it is gone."""
        self._stop()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    pipes: list[IO[bytes] | None] = [process.stdin, process.stdout]
    for pipe in pipes:
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was still to be written has no reader any more
                pipe.close()
