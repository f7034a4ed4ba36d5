"""Report a full or failing disk in one sentence instead of a stack trace.

Many libraries write during a run (h5py, numpy, Pillow, matplotlib, KerasTuner), and each raises its own kind
of error. Their errors are therefore examined in one place, around a whole stage.
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

#: Error numbers that only a disk causes: full, over a quota or a size limit, broken, read-only.
FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


def disk_fault(error: BaseException) -> int | None:
    """Return the `errno` number if the disk caused the error, None for any other error."""
    if isinstance(error, OSError):
        number = fault_number(error)
        return number if number in FAULTS else None
    # Native code wraps the system's message in its own error types.
    text = str(error) if isinstance(error, RuntimeError) else ""
    return next((fault for fault in FAULTS if os.strerror(fault) in text), None)


@contextmanager
def disk_faults(what: str) -> Iterator[None]:
    """Turn a disk fault inside the block into a `StorageError`; every other error passes through.

    Args:
        what: start of the message, such as ``"The stage train stopped"``.

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
    """Keep h5py's tracebacks about files it could not close off the terminal, as the sentence is enough."""
    failed, ignored = sys.excepthook, sys.unraisablehook

    def excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if disk_fault(error) is None:
            failed(kind, error, trace)

    def unraisablehook(unraisable: Any) -> None:
        if unraisable.exc_value is None or disk_fault(unraisable.exc_value) is None:
            ignored(unraisable)

    sys.excepthook, sys.unraisablehook = excepthook, unraisablehook


def exit_before_hdf5(status: int) -> None:
    """Exit with ``status`` before HDF5's own exit handler runs.

    That handler crashes when it closes a file that could not be written to the disk.
    """

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)
