"""Give memory of photos back to the system as soon as it is free."""

from __future__ import annotations

import contextlib
import ctypes
import sys

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
