"""The worker process that decodes costly files: ``python -m smartbreed.imaging.decoding_worker DESCRIPTOR``.

It reads requests from a connection and answers each. Files and pixels are in memory that it shares with
`smartbreed.imaging.decoders`, which starts it. It writes no file and reads none but the modules it imports.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import resource
import select
import signal
import sys
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

import numpy as np

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.decoding import decode

#: Threads of each decoder; few, because several workers share the cores.
_THREADS = 2
#: Bytes that a decoder may take beyond those it was admitted with: thread stacks, tables, the file.
_SPARE = 256_000_000
#: Niceness: slightly lower priority than the process that answers visitors.
_NICE = 2


class _Unadmitted(BaseException):  # not an Exception: `decode` would take it for a broken file
    """Decoding needs more memory than it was admitted with."""

    def __init__(self, needed: int) -> None:
        self.needed = needed


def answer(data: bytes, descriptor: int, request: dict[str, Any]) -> dict[str, Any]:
    """Decode a file into the shared memory.

    Args:
        data: the file.
        descriptor: of the shared memory, which is resized to the pixels.
        request: ``max_pixels`` and ``reduce`` as for `decode`, and ``granted``, the admitted memory in bytes.

    Returns:
        ``height`` and ``width`` of the pixels and ``full``; or ``needs``, the bytes of memory required; or
        ``code`` and ``message`` of a refusal.
    """
    needed = 0

    def admit(memory: int) -> None:
        nonlocal needed
        needed += memory
        if needed > request["granted"]:
            raise _Unadmitted(needed)

    try:
        with _at_most(request["granted"] + 3 * len(data)):
            pixels, full = decode(data, request["max_pixels"], admit, reduce=request["reduce"])
    except _Unadmitted as error:
        return {"needs": error.needed}
    except PhotoError as error:
        return error.as_dict()
    os.ftruncate(descriptor, pixels.size)
    with mmap.mmap(descriptor, pixels.size) as memory:
        shared = np.frombuffer(memory, np.uint8).reshape(pixels.shape)
        np.copyto(shared, pixels)
        del shared
    return {"height": pixels.shape[0], "width": pixels.shape[1], "full": full}


@contextlib.contextmanager
def _at_most(memory: int) -> Any:
    """Limit the memory that a decoder can allocate inside the block, whatever the file."""
    try:
        with open("/proc/self/statm") as file:
            held = int(file.read().split()[5]) * mmap.PAGESIZE
    except OSError:  # not Linux: on other systems the limit means something else
        yield
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + memory + _SPARE, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _end_with_parent() -> None:
    """Make the kernel end this process as soon as the other end of standard input is closed.

    A thread could not do that: a decoder that hangs may hold the interpreter's lock.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:  # closed already
        sys.exit(1)


def _prepare_decoders() -> None:
    """Load the decoders that most files need, and limit their threads."""
    import pillow_heif.options
    from PIL import AvifImagePlugin

    pillow_heif.options.DECODE_THREADS = _THREADS
    AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS


def main(connection: Connection) -> None:
    """Answer requests until the other end of the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICE)
    _end_with_parent()
    _prepare_decoders()
    connection.send_bytes(b"ready")
    while True:
        try:
            request = json.loads(connection.recv_bytes())
            descriptor = recv_handle(connection)
        except (EOFError, OSError):
            return
        # If the parent fails to kill this process, the kernel's timer does, a little later.
        signal.setitimer(signal.ITIMER_REAL, 2 * request["seconds"] + 1)
        try:
            with mmap.mmap(descriptor, request["length"], prot=mmap.PROT_READ) as memory:
                data = memory[:]
            found = answer(data, descriptor, request)
        finally:
            os.close(descriptor)
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send_bytes(json.dumps(found).encode())


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
