"""Exceptions to catch when reading an untrusted zip archive."""

from __future__ import annotations

import lzma
import zipfile
import zlib

#: What `zipfile`, and libraries that use it, raise for a damaged or encrypted archive.
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
