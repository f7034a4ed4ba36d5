"""The body of a REST request → photos and options, never holding more of it than is allowed.

Three forms: ``multipart/form-data``, JSON, and the bare bytes of a photo (any other
content type; ``curl --data-binary`` sends a wrong one, so it is not looked at).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.web.api.arguments import check_photos
from smartbreed.web.api.photos import Given, clean_name, receive

#: Boundaries, part headers and small fields beside the photos.
OVERHEAD = 1 << 20
#: A form of several photos may be this many times as large as one photo.
SEVERAL = 4
OPTIONS = ("whole", "top_k", "score")
_BAD = "bad_body"


@dataclass
class Body:
    """What a request asks for.

    Attributes:
        photos: in the order they came.
        options: those arguments beside the photo that were sent, unchecked.
        several: answer with a list, even for one photo.
    """

    photos: list[Given] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    several: bool = False


async def read_body(
    request: Request, *, max_bytes: int, max_photos: int, uploads: Path, options: tuple[str, ...] = OPTIONS
) -> Body:
    """Read a request's body.

    Args:
        request: not read yet.
        max_bytes: largest photo; also what bounds the memory taken, see `SEVERAL`.
        max_photos: most photos in one request.
        uploads: as for `smartbreed.web.api.photos.receive`.
        options: names of the arguments that may stand beside the photo.

    Raises:
        PhotoError: ``too_many_bytes``, as soon as the body is longer than any photo allowed.
        RequestError: ``bad_body`` (400), ``too_many_photos``.
        starlette.requests.ClientDisconnect: the caller went away.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"multipart/form-data":
        return await _multipart(request, parameters.get(b"boundary", b""), max_bytes, max_photos, options)
    if kind == b"application/json" or kind.endswith(b"+json"):
        return await _json(request, max_bytes, max_photos, uploads, options)
    data = await _collect(request, max_bytes, max_bytes)
    if not data and not kind:
        return Body([Given(error=PhotoError("no_photo", "No photo was sent; choose one and try again."))])
    return Body([Given(bytes(data))])


async def _multipart(
    request: Request, boundary: bytes, max_bytes: int, max_photos: int, options: tuple[str, ...]
) -> Body:
    if not boundary:
        raise RequestError(_BAD, "The multipart body names no boundary.", status=400)
    parts = _Parts(max_bytes, max_photos, options)
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        async for chunk in _bounded(request, SEVERAL * max_bytes + OVERHEAD, max_bytes):
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise RequestError(_BAD, "The body is not valid multipart/form-data.", status=400) from None
    if not parts.complete:
        raise RequestError(_BAD, "The multipart body ends too early.", status=400)
    if not parts.body.photos:
        parts.body.photos = [
            Given(error=PhotoError("no_photo", "No photo was sent: the form needs a file field `photo`."))
        ]
    parts.body.several |= len(parts.body.photos) > 1
    return parts.body


class _Parts:
    """Callbacks of the multipart parser; a part that grows too large is dropped, not kept."""

    def __init__(self, max_bytes: int, max_photos: int, options: tuple[str, ...]) -> None:
        self.body = Body()
        self.complete = False
        self._max_bytes, self._max_photos, self._options = max_bytes, max_photos, options
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = bytearray(), bytearray()
        self._data, self._size, self._kept = bytearray(), 0, 0

    def callbacks(self) -> dict[str, Any]:
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "part_end", "end")
        return {f"on_{name}": getattr(self, f"on_{name}") for name in names}

    def on_part_begin(self) -> None:
        self._headers, self._data, self._size = {}, bytearray(), 0

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size <= self._max_bytes:
            self._data += data[start:end]
        else:
            self._data = bytearray()

    def on_part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options and name in self._options:
            self.body.options[name] = bytes(self._data[:1000]).decode("utf-8", "replace")
            return
        if b"filename" not in options and name not in ("photo", "photos"):
            return  # a field of somebody's own form
        if len(self.body.photos) == self._max_photos:
            raise RequestError("too_many_photos", f"At most {self._max_photos} photos at once.")
        self.body.several |= name == "photos"
        file = clean_name(options.get(b"filename", b"").decode("utf-8", "replace"))
        if self._size > self._max_bytes:
            self.body.photos.append(Given(name=file, error=_too_large(self._max_bytes)))
        else:
            self.body.photos.append(Given(bytes(self._data), file))

    def on_end(self) -> None:
        self.complete = True


async def _json(
    request: Request, max_bytes: int, max_photos: int, uploads: Path, options: tuple[str, ...]
) -> Body:
    # Base64 takes four characters for three bytes.
    data = await _collect(request, max_bytes * 4 // 3 + OVERHEAD, max_bytes)
    try:
        sent = await anyio.to_thread.run_sync(json.loads, data)
    except (ValueError, RecursionError):
        raise RequestError(_BAD, "The body is not valid JSON.", status=400) from None
    finally:
        del data
    if not isinstance(sent, dict):
        raise RequestError(_BAD, 'The JSON is an object: {"image": "…base64…"}.', status=400)
    several = sent.get("images")
    values = [sent.get("image")] if several is None else check_photos(several, max_photos)
    # Only text: a dictionary would name an uploaded file, which this door does not have.
    if not all(value is None or isinstance(value, str) for value in values):
        raise RequestError(_BAD, "A photo in JSON is text: base64 or a data URL.", status=400)
    photos = [await receive(value, uploads=uploads, max_bytes=max_bytes) for value in values]
    return Body(photos, {name: sent[name] for name in options if name in sent}, several is not None)


async def _collect(request: Request, limit: int, max_bytes: int) -> bytearray:
    data = bytearray()
    async for chunk in _bounded(request, limit, max_bytes):
        data += chunk
    return data


async def _bounded(request: Request, limit: int, max_bytes: int) -> AsyncIterator[bytes]:
    """The body's chunks, until they are more than ``limit`` bytes together."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(max_bytes)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            yield chunk
        elif size > 2 * limit + OVERHEAD:
            break  # a little is read on and thrown away: most callers read no answer while they send
    if size > limit:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> PhotoError:
    return PhotoError(
        "too_many_bytes",
        f"The photo is too large; at most {max_bytes:,} bytes are accepted. Send a smaller copy.",
    )
