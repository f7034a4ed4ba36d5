"""Messages between two processes: a JSON header and raw bytes, each with its length before it. No pickle."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

Frame = tuple[dict[str, Any], bytes]

#: Marks the start of a message, so that anything else on the line is noticed at once.
_MAGIC = b"SBF1"
_PREFIX = struct.Struct(">4sII")
#: Longest header and longest body accepted, bytes.
MAX_HEADER, MAX_BODY = 1 << 16, 1 << 26


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Write one message and flush it.

    Raises:
        OSError: the other side is gone.
    """
    text = json.dumps(header).encode()
    stream.write(_PREFIX.pack(_MAGIC, len(text), len(body)) + text + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Frame | None:
    """The next message; None where the stream ends between two messages.

    Raises:
        EOFError: it ends inside one.
        ValueError: something else was written to it.
    """
    prefix = stream.read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise EOFError("The stream ends inside the start of a message.")
    magic, header_size, body_size = _PREFIX.unpack(prefix)
    if magic != _MAGIC or header_size > MAX_HEADER or body_size > MAX_BODY:
        raise ValueError(f"No message starts here. Received: {prefix!r}")
    text, body = stream.read(header_size), stream.read(body_size)
    if len(text) < header_size or len(body) < body_size:
        raise EOFError("The stream ends inside a message.")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError(f"A header must be an object. Received: {type(header).__name__}")
    return header, body
