"""Zip downloads that are written on request."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

from starlette.responses import Response, StreamingResponse

#: Size of a chunk that is sent, in bytes.
_CHUNK = 1 << 16


def zip_answer(write: Callable[[IO[bytes]], str]) -> Response:
    """Return a zip as a download; it is stored in a temporary file until it has been sent.

    Args:
        write: writes the zip and returns the name to download it under; its exceptions are passed on.
    """
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been sent
    try:
        name = write(file)
    except BaseException:
        file.close()
        raise
    length = file.tell()
    file.seek(0)

    def chunks() -> Iterator[bytes]:
        with file:
            yield from iter(partial(file.read, _CHUNK), b"")

    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(length),
        "Cache-Control": "no-store",
    }
    return StreamingResponse(chunks(), media_type="application/zip", headers=headers)
