"""Archives that are made when they are asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

from starlette.responses import Response, StreamingResponse

#: Bytes that are sent at once.
_CHUNK = 1 << 16


def zip_answer(write: Callable[[IO[bytes]], str]) -> Response:
    """A zip to download, which lies on the disk until it is sent.

    Args:
        write: writes it, and says the name of the file; what it raises is passed on.
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
