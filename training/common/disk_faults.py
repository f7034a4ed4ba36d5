"""A disk that is full or failing ends the program with one sentence instead of a stack trace.

Many libraries write during a run (h5py, numpy, Pillow, matplotlib, KerasTuner), each with an error of its
own, so what they raise is looked at once, around a whole stage.
"""

from __future__ import annotations

import atexit
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.files import disk_errors, fault_number

#: What only a disk says: full, over a quota or a limit of size, broken, read-only.
FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


def disk_fault(error: BaseException) -> int | None:
    """The number of the fault in `errno`, where the disk is to blame; None for any other error."""
    if isinstance(error, OSError):
        number = fault_number(error)
        return number if number in FAULTS else None
    # Native code wraps the system's message in errors of its own kind.
    text = str(error) if isinstance(error, RuntimeError) else ""
    return next((fault for fault in FAULTS if os.strerror(fault) in text), None)


@contextmanager
def disk_faults(what: str) -> Iterator[None]:
    """Turn a fault of the disk inside the block into a sentence; every other error passes.

    Args:
        what: how the sentence begins, such as ``"The stage train stopped"``.

    Raises:
        StorageError: ``"{what}: {reason}."``
    """
    try:
        yield
    except SmartBreedError:
        raise
    except Exception as error:
        fault = disk_fault(error)
        if fault is None:
            raise
        with disk_errors(what):
            raise OSError(fault, os.strerror(fault)) from error


def silence_disk_faults() -> None:
    """Keep what h5py prints about a file it could not close off the terminal: the sentence says it all."""
    failed, ignored = sys.excepthook, sys.unraisablehook

    def excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if disk_fault(error) is None:
            failed(kind, error, trace)

    def unraisablehook(unraisable: Any) -> None:
        if unraisable.exc_value is None or disk_fault(unraisable.exc_value) is None:
            ignored(unraisable)

    sys.excepthook, sys.unraisablehook = excepthook, unraisablehook


def exit_before_hdf5(status: int) -> None:
    """End the process with ``status`` before HDF5 does: closing a file that the disk refused, it crashes."""

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)
