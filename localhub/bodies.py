"""Bodies of requests: read up to a limit, then understood or refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request

from localhub.errors import bad_request, too_large

#: Bytes of a JSON or form body; the largest the client sends is a preupload of 256 files.
MAX_BODY = 8_000_000
#: Items the client may name in one request.
MAX_ITEMS = 10_000


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """The whole body.

    Raises:
        HubError: 413.
    """
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise too_large(f"The body is over {most} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def loads(data: bytes) -> Any:
    """JSON, without the lone surrogates that it allows and that nothing can store or send on.

    Raises:
        HubError: 400.
    """
    try:
        value = json.loads(data)
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise bad_request("Not valid JSON") from None
    return value


def parse_json(data: bytes) -> dict[str, Any]:
    """A JSON object; an empty body is an empty object.

    Raises:
        HubError: 400.
    """
    value = loads(data) if data.strip() else {}
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object")
    return value


def parse_form(data: bytes, content_type: str) -> dict[str, Any]:
    """A urlencoded form as lists of texts; JSON is taken too, as on the public Hub.

    Raises:
        HubError: 400.
    """
    if content_type.startswith("application/json"):
        return parse_json(data)
    try:
        return dict(parse_qs(data.decode(), max_num_fields=MAX_ITEMS, errors="strict"))
    except ValueError:
        raise bad_request("The body is not a valid form") from None
