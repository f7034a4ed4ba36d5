"""A child process that answers one request after another.

A message is a JSON header and raw bytes, preceded by the lengths of both. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import struct
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

Frame = tuple[dict[str, Any], bytes]

#: Marks the start of a message, so that any other output on the pipe is noticed at once.
_MAGIC = b"SBF1"
_PREFIX = struct.Struct(">4sII")
#: Maximum size of a header and of a body, in bytes.
MAX_HEADER, MAX_BODY = 1 << 16, 1 << 26


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Write one message and flush it.

    Raises:
        OSError: the other side is gone.
    """
    text = json.dumps(header).encode()
    stream.write(_PREFIX.pack(_MAGIC, len(text), len(body)) + text + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Frame | None:
    """Read the next message; None if the stream ends between two messages.

    Raises:
        EOFError: the stream ends inside a message.
        ValueError: the stream holds something other than messages.
    """
    prefix = stream.read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise EOFError("The stream ends inside the start of a message.")
    magic, header_size, body_size = _PREFIX.unpack(prefix)
    if magic != _MAGIC or header_size > MAX_HEADER or body_size > MAX_BODY:
        raise ValueError(f"No message starts here. Received: {prefix!r}")
    text, body = stream.read(header_size), stream.read(body_size)
    if len(text) < header_size or len(body) < body_size:
        raise EOFError("The stream ends inside a message.")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError(f"A header must be an object. Received: {type(header).__name__}")
    return header, body


#: Bytes of the child's stderr that go to the log.
_TAIL_BYTES = 2000


class ChildLost(Exception):
    """The child ended, timed out or broke the protocol; it cannot be used any more.

    Attributes:
        timed_out: True if it was killed for taking too long.
    """

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class Child:
    """A child process that starts at once, and ends with `close`, with this object, or with its parent.

    Use it from one thread at a time; only `close` may be called at any time.

    Args:
        command: a program that reads frames from stdin and answers each with frames on stdout
            that carry the request's ``id``. Its stderr is kept for `stderr_tail`.
        cwd: its working directory.
        environment: its complete environment; nothing is inherited.
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
        # Runs at the latest when the interpreter exits, so that no orphan stays behind.
        self._stop = weakref.finalize(self, _stop, self._process)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._process.poll() is None

    def ask(self, header: Mapping[str, Any], body: bytes, timeout: float) -> Generator[Frame]:
        """Send a request and yield its replies; the caller recognises the last one and closes the iterator.

        Late replies to an earlier request are skipped.

        Args:
            header: JSON values; ``id`` is added.
            body: raw bytes.
            timeout: seconds after which the child is killed.

        Raises:
            ChildLost: the child ended, timed out or broke the protocol.
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
        """Return the end of what the child wrote to stderr."""
        try:
            size = self._stderr.seek(0, 2)
            self._stderr.seek(max(0, size - _TAIL_BYTES))
            return self._stderr.read().decode(errors="replace")
        except (OSError, ValueError):  # closed
            return ""

    def close(self) -> None:
        """Kill the child, which holds no data worth saving, and wait until it is gone."""
        self._stop()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    pipes: list[IO[bytes] | None] = [process.stdin, process.stdout]
    for pipe in pipes:
        if pipe is not None:
            with contextlib.suppress(OSError):  # unwritten data has no reader any more
                pipe.close()
