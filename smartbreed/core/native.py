"""What native libraries do unasked: they talk on stderr, and glibc keeps freed memory of photos."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_silence() -> Iterator[None]:
    """Drop what native code writes to stderr meanwhile; LiteRT announces its delegate there.

    Python's own exceptions pass. Does nothing where stderr has no file descriptor.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


#: glibc's numbers of the options, and the size in bytes from which an allocation is the system's own.
_M_MMAP_THRESHOLD, _M_ARENA_MAX, _SIZE = -3, -8, 4 << 20


def return_freed_memory() -> None:
    """Tell glibc's allocator to; without glibc nothing happens.

    It learns from what is freed: after the first 20 MB it takes such sizes from the heaps of its
    threads, which keep them. Photos decoded by a dozen threads then stay in memory a dozen times over.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _SIZE)  # also stops the learning
        mallopt(_M_ARENA_MAX, 4)
