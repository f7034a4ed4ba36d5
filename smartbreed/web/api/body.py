"""Parse the body of a REST request into photos and options.

Three kinds of body are accepted: forms, JSON, and the bare bytes of a photo. Any other content type
counts as bare bytes, because ``curl --data-binary`` sends a wrong one. In a form, a photo is a file in any
field, or text (as in JSON) in a field named in `_PHOTO` or `_PHOTOS`. `smartbreed.web.api.body_limit` limits
the size of a body and decompresses it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import anyio.to_thread
from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.web.api.arguments import check_photos
from smartbreed.web.api.photos import Given, clean_name, receive

_BAD = "bad_body"
#: Names of the form fields that hold one photo, and of those that may hold several.
_PHOTO, _PHOTOS = ("photo", "file", "image"), ("photos", "files", "images")
#: A photo sent as text: a data URL, a web address, or bare base64. The bytes of a picture never match. The
#: quantifiers are possessive, so that white space is not divided between them in every possible way.
_AS_TEXT = re.compile(rb"\s*+(?:data:|https?://)|[\w+/=\s-]{64,}+\Z", re.IGNORECASE)
_AS_FIELD = re.compile(rb"(photo|file|image)s?=", re.IGNORECASE)
#: A non-ASCII file name, encoded as in RFC 5987: ``filename*=UTF-8''r%C3%A9x.jpg``.
_ENCODED_NAME = re.compile(rb";\s*filename\*\s*=\s*\"?([\w-]*)'[^']*'([^;\"\s]*)", re.IGNORECASE)
_Arguments = TypeVar("_Arguments", bound=BaseModel)


@dataclass
class Body:
    """The parsed body of a request.

    Attributes:
        photos: in the order in which they were sent.
        options: the other fields, not validated.
        several: True if the answer must be a list, even for one photo.
    """

    photos: list[Given] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    several: bool = False

    def over(self, query: _Arguments) -> _Arguments:
        """Return the validated arguments of the request. The body overrides the query."""
        return query.model_validate({**query.model_dump(exclude_unset=True), **self.options})


async def read_body(request: Request, *, max_bytes: int, max_photos: int, uploads: Path) -> Body:
    """Read and parse the body of a request.

    Args:
        request: its body must not have been read yet.
        max_bytes: size limit of one photo.
        max_photos: most photos in one request.
        uploads: as for `smartbreed.web.api.photos.receive`.

    Raises:
        PhotoError: ``too_many_bytes``, for a body that is a single photo.
        RequestError: ``bad_body`` (400), ``bad_photos`` or ``too_many_photos``.
        starlette.requests.ClientDisconnect: the client disconnected.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    data = await request.body()
    if kind == b"multipart/form-data":
        form = _Form(max_bytes, max_photos)
        body = await anyio.to_thread.run_sync(form.parse, data, parameters.get(b"boundary", b""))
        for number, text in form.texts.items():
            given = await receive(text, uploads=uploads, max_bytes=max_bytes)
            body.photos[number] = replace(given, name=given.name or body.photos[number].name)
        return body
    if kind == b"application/json" or kind.endswith(b"+json"):
        return await _json(data, max_bytes, max_photos, uploads)
    if kind == b"application/x-www-form-urlencoded" and _AS_FIELD.match(data):
        return await _fields(data, max_bytes, max_photos, uploads)
    if data[:5].lower() == b"data:":
        return Body([await receive(data.decode("utf-8", "replace"), uploads=uploads, max_bytes=max_bytes)])
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    if not data and not kind:
        return Body([Given(error=PhotoError("no_photo", "No photo was sent; choose one and try again."))])
    return Body([Given(data)])


class _Form:
    """Collects photos and options through the callbacks of the multipart parser."""

    def __init__(self, max_bytes: int, max_photos: int) -> None:
        self.body = Body()
        #: Photos sent as text, by their index in ``body.photos``.
        self.texts: dict[int, str] = {}
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
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        file = _file_name(disposition, options)
        if file is None and name not in (*_PHOTO, *_PHOTOS):
            self.body.options[name] = bytes(self._data[:1000]).decode("utf-8", "replace")
            return
        if not file and not self._data:  # what a browser sends for a file input if no file was chosen
            return
        if len(self.body.photos) == self._max_photos:
            raise RequestError("too_many_photos", f"At most {self._max_photos} photos at once.")
        self.body.several |= name in _PHOTOS
        encoded = self._headers.get(b"content-transfer-encoding", b"").strip().lower() == b"base64"
        if encoded or (file is None and _AS_TEXT.match(self._data)):
            before = "data:;base64," if encoded else ""
            self.texts[len(self.body.photos)] = before + self._data.decode("ascii", "replace")
            self._data = bytearray()
        large = len(self._data) > self._max_bytes
        data = b"" if large else bytes(self._data)
        self.body.photos.append(Given(data, clean_name(file), _too_large(self._max_bytes) if large else None))

    def end(self) -> None:
        self._complete = True


def _file_name(disposition: bytes, options: dict[bytes, bytes]) -> str | None:
    """Return the file name that a part declares; None if the part is not a file."""
    found = _ENCODED_NAME.search(disposition)
    charset = found[1].decode().lower() or "utf-8" if found else ""
    # RFC 8187 defines only these two. Other codecs of Python may raise, or return lone surrogates.
    if found and charset in ("utf-8", "iso-8859-1"):
        return unquote_to_bytes(found[2]).decode(charset, "replace")
    return options[b"filename"].decode("utf-8", "replace") if b"filename" in options else None


async def _fields(data: bytes, max_bytes: int, max_photos: int, uploads: Path) -> Body:
    """Parse a URL-encoded form, in which photos are text."""
    body, texts = Body(), []
    parse = partial(parse_qsl, data.decode("utf-8", "replace"), max_num_fields=1000)
    try:
        pairs = await anyio.to_thread.run_sync(parse)
    except ValueError:
        raise RequestError(_BAD, "The form has too many fields.", status=400) from None
    for name, value in pairs:
        if name not in (*_PHOTO, *_PHOTOS):
            body.options[name] = value[:1000]
        else:
            # Restore the plus signs of base64 that was not percent-encoded.
            texts.append(value.replace(" ", "+"))
            body.several |= name in _PHOTOS
    check_photos(texts, max_photos)
    body.photos = [await receive(text, uploads=uploads, max_bytes=max_bytes) for text in texts or [""]]
    body.several |= len(texts) > 1
    return body


async def _json(data: bytes, max_bytes: int, max_photos: int, uploads: Path) -> Body:
    try:
        sent = await anyio.to_thread.run_sync(json.loads, data)
    except (ValueError, RecursionError):
        raise RequestError(_BAD, "The body is not valid JSON.", status=400) from None
    if not isinstance(sent, dict):
        raise RequestError(_BAD, 'The JSON is an object: {"image": "…base64…"}.', status=400)
    image, several = sent.pop("image", None), sent.pop("images", None)
    values = [image] if several is None else check_photos(several, max_photos)
    # Only text: a dictionary would refer to an uploaded file, and REST has no separate uploads.
    if not all(value is None or isinstance(value, str) for value in values):
        raise RequestError(_BAD, "A photo in JSON is text: base64 or a data URL.", status=400)
    photos = [await receive(value, uploads=uploads, max_bytes=max_bytes) for value in values]
    return Body(photos, sent, several is not None)


def _too_large(max_bytes: int) -> PhotoError:
    return PhotoError(
        "too_many_bytes",
        f"The photo is too large; at most {max_bytes:,} bytes are accepted. Send a smaller copy.",
    )
