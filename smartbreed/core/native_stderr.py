"""Native libraries that talk on stderr whether or not anybody asked."""

from __future__ import annotations

import contextlib
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
