"""Pure ASGI middleware that rejects bodies too large, too slow or too deeply nested for their route.

A body is received in full before the app sees it. Longer bodies are spooled to disk, so that a client that
sends slowly holds a connection but no memory. Only then is memory reserved for the body, from a budget
that all requests share. JSON is checked before anything parses it. A compressed body is decompressed, up to
the same limit. Uploads are streamed to the app, because gradio writes them to disk itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import tempfile
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from smartbreed.core.errors import RequestError, SmartBreedError
from smartbreed.web.api.memory import Memory, check_json

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

#: Largest body of a route that takes no photo, in bytes. Memory is reserved for any larger body.
ORDINARY = 1_000_000
#: Seconds of grace, and then the lowest average rate in bytes per second. A slower body is rejected.
GRACE_S, BYTES_PER_S = 20.0, 16_384
#: Bytes of memory that all bodies over `ORDINARY` together may take while they are processed.
MEMORY = 192_000_000
#: Memory reserved for a body, as a multiple of its size: raw bytes, text and decoded base64 exist at once.
COPIES = 5
#: Seconds that a request waits for memory before it is answered with 503.
PATIENCE_S = 20.0
#: Most bytes and seconds for which a rejected body is still read: most clients send it all before they read.
_DRAIN, _DRAIN_S = 8_000_000, 5.0
#: Bytes above which a body is spooled to disk, and from which JSON is checked in a thread.
_LONG = 65_536
#: What may precede the first bracket of JSON: white space, byte order marks, zero bytes of UTF-16 and UTF-32.
_BEFORE_JSON = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"
#: An upload of several photos may be this many times as large as one photo, because it goes to disk.
SEVERAL = 4

#: Content codings that `_Unpacked` decompresses.
_PACKED = (b"gzip", b"x-gzip", b"deflate")
_UPLOAD = re.compile(r"/gradio_api/upload/?$|/teach/model/[^/]+/(photos|try)/?$|/m/[^/]+/?$")
_PHOTO = re.compile(r"/(api|m/[^/]+)/identify/?$|/api/flag/?$|/gradio_api/mcp(?!/messages)(/|$)")


@dataclass(frozen=True)
class Rule:
    """The limits of a route.

    Attributes:
        limit: largest body in bytes.
        streams: True if the body is passed on as it arrives.
        photo: True if an error answer also has the key ``image``.
    """

    limit: int
    streams: bool = False
    photo: bool = False


class _Gone(Exception):
    """The client disconnected."""


class BodyLimit:
    """ASGI middleware that enforces the limits.

    Args:
        app: the app to protect.
        max_bytes: largest photo. A body with a photo may be half as large again, because of base64.
        grace_s, bytes_per_s: as `GRACE_S` and `BYTES_PER_S`.
        memory: as `MEMORY`.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        max_bytes: int,
        grace_s: float = GRACE_S,
        bytes_per_s: float = BYTES_PER_S,
        memory: int = MEMORY,
    ) -> None:
        self._app = app
        self._photo = Rule(max(max_bytes * 3 // 2, ORDINARY), photo=True)
        self._upload = Rule(SEVERAL * max_bytes + ORDINARY, streams=True)
        self._ordinary = Rule(ORDINARY)
        self._grace_s, self._bytes_per_s = grace_s, bytes_per_s
        self._memory = Memory(memory)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"")
        if b"transfer-encoding" not in headers and announced in (b"", b"0"):
            await self._app(scope, receive, send)
            return
        rule = self._rule(scope["path"], headers.get(b"content-type", b""))
        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        body = _Body(receive, rule.limit, self._grace_s, self._bytes_per_s)
        try:
            if announced.isdigit() and int(announced) > rule.limit:
                if b"expect" not in headers:  # with Expect, the client sends no body until it is asked to
                    await body.drain()
                raise _too_large(rule)
            if rule.streams and coding != b"identity":
                raise _unknown_coding("Send an upload as it is, without Content-Encoding.")
            if rule.streams:
                await self._stream(scope, body, send)
            elif coding in _PACKED:
                body.unpack = _Unpacked(rule)
                await self._buffer(_without_coding(scope), receive, body, send)
            elif coding == b"identity":
                await self._buffer(scope, receive, body, send)
            else:
                raise _unknown_coding("Of Content-Encoding only gzip and deflate are understood here.")
        except _Gone:
            return
        except SmartBreedError as error:
            await _refuse(send, error, rule)

    def _rule(self, path: str, kind: bytes) -> Rule:
        # Of any other kind, the app would hold the whole body in memory.
        if _UPLOAD.match(path) and kind.partition(b";")[0].strip().lower() == b"multipart/form-data":
            return self._upload
        return self._photo if _PHOTO.match(path) else self._ordinary

    async def _stream(self, scope: MutableMapping[str, Any], body: _Body, send: Send) -> None:
        """Pass a body on as it arrives; if it breaks a limit, drop the app's answer and raise the error."""
        started = False

        async def relay(message: Message) -> None:
            nonlocal started
            if body.error is None:
                started = True
                await send(message)

        try:
            await self._app(scope, body.receive, relay)
        except Exception:
            if body.error is None:
                raise
        if body.error is not None and not started:
            if body.error.status == 413:
                await body.drain()
            raise body.error

    async def _buffer(
        self, scope: MutableMapping[str, Any], receive: Receive, body: _Body, send: Send
    ) -> None:
        with tempfile.SpooledTemporaryFile(max_size=_LONG) as file:
            try:
                while (message := await body.receive())["type"] == "http.request":
                    data, more = message.get("body", b""), message.get("more_body", False)
                    file.write(body.unpack(data, more) if body.unpack else data)
                    if not more:
                        break
                else:
                    raise _Gone
            except RequestError as error:
                if error.status == 413:
                    await body.drain()
                raise
            size = file.tell()
            if size <= ORDINARY:
                await self._replay(scope, receive, file, send)
                return
            try:
                held = await self._memory.acquire(COPIES * size, patience_s=PATIENCE_S)
            except TimeoutError:
                raise SmartBreedError(
                    "busy", "Too much is being done here. Try again in a minute.", status=503
                ) from None
            try:
                await self._replay(scope, receive, file, send)
            finally:
                self._memory.release(held)

    async def _replay(self, scope: MutableMapping[str, Any], receive: Receive, file: Any, send: Send) -> None:
        file.seek(0)
        data = file.read()
        file.close()
        if data[:_LONG].lstrip(_BEFORE_JSON)[:1] in (b"", b"[", b"{"):
            if len(data) < _LONG:
                _check(data)
            else:
                await anyio.to_thread.run_sync(_check, data)
        pending: list[bytes] = [data]
        del data

        async def again() -> Message:
            if pending:
                return {"type": "http.request", "body": pending.pop(), "more_body": False}
            return await receive()

        await self._app(scope, again, send)


def _check(data: bytes) -> None:
    """Check a body if it begins like JSON, whatever its content type says.

    Raises:
        RequestError: as `check_json`.
    """
    for start in range(0, len(data), _LONG):  # in pieces, or long white space would keep all threads waiting
        if begun := data[start : start + _LONG].lstrip(_BEFORE_JSON):
            if begun[:1] in (b"[", b"{"):
                check_json(data)
            return


class _Body:
    """A body as it arrives, with its size and speed checked.

    Attributes:
        size: bytes received so far.
        error: the limit that the body broke; `receive` raises it from then on. None if it broke none.
        unpack: decompresses the body; None if it is not compressed.
    """

    def __init__(self, receive: Receive, limit: int, grace_s: float, bytes_per_s: float) -> None:
        self._receive, self._limit = receive, limit
        self._grace_s, self._bytes_per_s = grace_s, bytes_per_s
        self._started = asyncio.get_running_loop().time()
        self._complete = False
        self.size = 0
        self.error: RequestError | None = None
        self.unpack: _Unpacked | None = None

    async def receive(self) -> Message:
        """Return the next ASGI message.

        Raises:
            RequestError: the body is too long (413) or too slow (408).
        """
        if self._complete:
            return await self._receive()
        if self.error is not None:
            raise self.error
        deadline = self._started + self._grace_s + self.size / self._bytes_per_s
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError:
            self.error = RequestError("too_slow", "The request did not arrive in time.", status=408)
            raise self.error from None
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self.size > self._limit:
                self.error = _too_large(Rule(self._limit))
                raise self.error
        return message

    async def drain(self) -> None:
        """Read and discard a little more of a rejected body, so that the client gets to read the answer."""
        left = _DRAIN
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self._complete and left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        except TimeoutError:
            return


class _Unpacked:
    """Decompresses a body piece by piece, up to the limit of its route."""

    def __init__(self, rule: Rule) -> None:
        self._rule, self._left = rule, rule.limit
        self._zlib = zlib.decompressobj(wbits=47)  # gzip or zlib, by its first bytes

    def __call__(self, data: bytes, more: bool) -> bytes:
        """Return the decompressed `data`.

        Raises:
            RequestError: the body is too long once decompressed (413), or not valid gzip or zlib (400).
        """
        try:
            out = self._zlib.decompress(data, self._left + 1)
        except zlib.error:
            raise RequestError("bad_body", "The body is not valid gzip.", status=400) from None
        self._left -= len(out)
        if self._left < 0:
            raise _too_large(self._rule)
        if not more and not self._zlib.eof:
            raise RequestError("bad_body", "The gzip body ends too early.", status=400)
        return out


def _without_coding(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the scope without the headers that are wrong once the body is decompressed."""
    gone = (b"content-encoding", b"content-length", b"transfer-encoding")
    return {**scope, "headers": [one for one in scope["headers"] if one[0] not in gone]}


def _unknown_coding(message: str) -> RequestError:
    return RequestError("unsupported_encoding", message, status=415)


def _too_large(rule: Rule) -> RequestError:
    return RequestError(
        "too_many_bytes",
        f"The request is too large; at most {rule.limit:,} bytes are accepted here.",
        status=413,
    )


async def _refuse(send: Send, error: SmartBreedError, rule: Rule) -> None:
    answer: dict[str, Any] = {"error": error.as_dict()}
    if rule.photo:
        answer = {"image": "", **answer}
    content = json.dumps(answer).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    if error.status == 503:
        headers.append((b"retry-after", b"10"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
