"""Curb native libraries: their messages on stderr, and the memory that glibc keeps after it is freed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_silence() -> Iterator[None]:
    """Discard what native code writes to stderr inside the block, such as LiteRT's notice about its delegate.

    Python exceptions propagate. Does nothing if stderr has no file descriptor.
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


#: glibc's option numbers, and the size in bytes from which an allocation gets its own memory mapping.
_M_MMAP_THRESHOLD, _M_ARENA_MAX, _SIZE = -3, -8, 4 << 20


def return_freed_memory() -> None:
    """Make glibc return the freed memory of photos to the system; does nothing without glibc.

    By default glibc adapts to what is freed: after the first 20 MB, allocations of that size come from the
    heaps of its threads, which keep them. Photos decoded by a dozen threads then stay in memory a dozen
    times over.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _SIZE)  # also disables the adaptation
        mallopt(_M_ARENA_MAX, 4)
