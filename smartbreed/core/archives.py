"""Zip archives that others made."""

from __future__ import annotations

import lzma
import zipfile
import zlib

#: What `zipfile`, and what reads by it, raises of a damaged or encrypted archive.
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
    NotImplementedError,
    EOFError,
    ValueError,
    OSError,
)
