"""The body of a REST request → photos and options.

Three forms: ``multipart/form-data``, JSON, and the bare bytes of a photo (any other
content type; ``curl --data-binary`` sends a wrong one, so it is not looked at). How much
of a body is read at all is the matter of `smartbreed.web.api.body_limit`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.web.api.arguments import check_photos
from smartbreed.web.api.photos import Given, clean_name, receive

_BAD = "bad_body"
_Arguments = TypeVar("_Arguments", bound=BaseModel)


@dataclass
class Body:
    """What a request asks for.

    Attributes:
        photos: in the order they came.
        options: what stands beside the photos, unchecked.
        several: answer with a list, even for one photo.
    """

    photos: list[Given] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    several: bool = False

    def over(self, query: _Arguments) -> _Arguments:
        """The checked arguments of a request; what the body says goes before the query."""
        return query.model_validate({**query.model_dump(exclude_unset=True), **self.options})


async def read_body(request: Request, *, max_bytes: int, max_photos: int, uploads: Path) -> Body:
    """Read a request's body.

    Args:
        request: not read yet.
        max_bytes: largest photo.
        max_photos: most photos in one request.
        uploads: as for `smartbreed.web.api.photos.receive`.

    Raises:
        PhotoError: ``too_many_bytes``, of a body that is one photo.
        RequestError: ``bad_body`` (400), ``too_many_photos``.
        starlette.requests.ClientDisconnect: the caller went away.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    data = await request.body()
    if kind == b"multipart/form-data":
        form = _Form(max_bytes, max_photos)
        return await anyio.to_thread.run_sync(form.parse, data, parameters.get(b"boundary", b""))
    if kind == b"application/json" or kind.endswith(b"+json"):
        return await _json(data, max_bytes, max_photos, uploads)
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    if not data and not kind:
        return Body([Given(error=PhotoError("no_photo", "No photo was sent; choose one and try again."))])
    return Body([Given(data)])


class _Form:
    """Callbacks of the multipart parser."""

    def __init__(self, max_bytes: int, max_photos: int) -> None:
        self.body = Body()
        self._complete = False
        self._max_bytes, self._max_photos = max_bytes, max_photos
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value, self._data = bytearray(), bytearray(), bytearray()

    def parse(self, data: bytes, boundary: bytes) -> Body:
        if not boundary:
            raise RequestError(_BAD, "The multipart body names no boundary.", status=400)
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "part_end", "end")
        try:
            parser = MultipartParser(boundary, {f"on_{name}": getattr(self, name) for name in names})  # type: ignore[arg-type]
            parser.write(data)
            parser.finalize()
        except FormParserError:
            raise RequestError(_BAD, "The body is not valid multipart/form-data.", status=400) from None
        if not self._complete:
            raise RequestError(_BAD, "The multipart body ends too early.", status=400)
        if not self.body.photos:
            missing = PhotoError("no_photo", "No photo was sent: the form needs a file field `photo`.")
            self.body.photos = [Given(error=missing)]
        self.body.several |= len(self.body.photos) > 1
        return self.body

    def part_begin(self) -> None:
        self._headers, self._data = {}, bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options and name not in ("photo", "photos"):
            self.body.options[name] = bytes(self._data[:1000]).decode("utf-8", "replace")
            return
        if len(self.body.photos) == self._max_photos:
            raise RequestError("too_many_photos", f"At most {self._max_photos} photos at once.")
        self.body.several |= name == "photos"
        file = clean_name(options.get(b"filename", b"").decode("utf-8", "replace"))
        large = len(self._data) > self._max_bytes
        self.body.photos.append(
            Given(name=file, error=_too_large(self._max_bytes)) if large else Given(bytes(self._data), file)
        )

    def end(self) -> None:
        self._complete = True


async def _json(data: bytes, max_bytes: int, max_photos: int, uploads: Path) -> Body:
    try:
        sent = await anyio.to_thread.run_sync(json.loads, data)
    except (ValueError, RecursionError):
        raise RequestError(_BAD, "The body is not valid JSON.", status=400) from None
    if not isinstance(sent, dict):
        raise RequestError(_BAD, 'The JSON is an object: {"image": "…base64…"}.', status=400)
    image, several = sent.pop("image", None), sent.pop("images", None)
    values = [image] if several is None else check_photos(several, max_photos)
    # Only text: a dictionary would name an uploaded file, which REST does not have.
    if not all(value is None or isinstance(value, str) for value in values):
        raise RequestError(_BAD, "A photo in JSON is text: base64 or a data URL.", status=400)
    photos = [await receive(value, uploads=uploads, max_bytes=max_bytes) for value in values]
    return Body(photos, sent, several is not None)


def _too_large(max_bytes: int) -> PhotoError:
    return PhotoError(
        "too_many_bytes",
        f"The photo is too large; at most {max_bytes:,} bytes are accepted. Send a smaller copy.",
    )
