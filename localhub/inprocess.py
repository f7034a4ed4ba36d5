"""A transport from a blocking ``httpx2.Client`` to an ASGI application; httpx2's own is async only.

Each request runs as a task of one event loop in a background thread. Bodies stream both
ways with only a few chunks in flight, so a large file is never held in memory as a whole.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
from starlette.types import ASGIApp, Message

_IN_FLIGHT = 16
_END = object()


class InProcessTransport(httpx2.BaseTransport):
    """Sends requests to `app` in this process.

    Args:
        app: the ASGI application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owner = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Run one request; return when the headers of its answer have arrived.

        Raises:
            httpx2.ReadTimeout: the application does not answer in time.
            httpx2.RemoteProtocolError: it failed, or ended without an answer.
        """
        exchange = _Exchange(self._started(), request)
        exchange.task = asyncio.run_coroutine_threadsafe(exchange.run(self._app), exchange.loop)
        status, headers = exchange.head()
        return httpx2.Response(status, headers=headers, stream=exchange)

    def close(self) -> None:
        """Do nothing: the library closes and recreates its client at will, but the loop stays."""

    def stop(self) -> None:
        """Stop the loop and its thread; a later request starts new ones."""
        with self._guard:
            loop, self._loop = self._loop, None
            if loop is not None and self._owner == os.getpid():
                loop.call_soon_threadsafe(loop.stop)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._guard:
            if self._loop is None or self._owner != os.getpid():  # threads do not survive a fork
                self._owner = os.getpid()
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=[self._loop], name="hub-in-process", daemon=True).start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


class _Exchange(httpx2.SyncByteStream):
    """One request and its answer. The object itself is the stream of the answer's body."""

    def __init__(self, loop: asyncio.AbstractEventLoop, request: httpx2.Request) -> None:
        self.loop = loop
        self.task: Any = None
        self._request = request
        assert isinstance(request.stream, httpx2.SyncByteStream)
        self._body: Iterator[bytes] = iter(request.stream)
        self._sent = False
        self._done = asyncio.Event()
        self._in_flight = asyncio.Semaphore(_IN_FLIGHT)
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._timeout: float | None = (request.extensions.get("timeout") or {}).get("read")
        #: When the application last took a chunk of the body, and whether it waits for the next one.
        self._moved = time.monotonic()
        self._sending = False

    def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Wait for the status and headers, and return them."""
        first = self._next()
        if first is _END:
            raise httpx2.RemoteProtocolError("The application ended without an answer", request=self._request)
        status, headers = first
        return status, headers

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._next()) is not _END:
            self.loop.call_soon_threadsafe(self._in_flight.release)
            yield chunk

    def close(self) -> None:
        if not self.task.done():
            self.task.cancel()

    def _next(self) -> Any:
        begun = time.monotonic()
        while True:
            try:
                item = self._answers.get(timeout=self._left(begun))
                break
            except queue.Empty:
                if self._sending or self._left(begun):
                    continue  # the body is still being sent; as on a network, that is no read time-out
                self.task.cancel()
                raise httpx2.ReadTimeout(
                    "The application did not answer in time", request=self._request
                ) from None
        if isinstance(item, BaseException):
            raise httpx2.RemoteProtocolError(
                f"The application failed: {item!r}", request=self._request
            ) from item
        return item

    def _left(self, begun: float) -> float | None:
        """Return the seconds left to wait for the answer; None: no limit.

        The time-out starts again with each chunk of the body that is taken.
        """
        if self._timeout is None or self._sending:
            return self._timeout
        return max(0.0, max(begun, self._moved) + self._timeout - time.monotonic())

    async def run(self, app: ASGIApp) -> None:
        url = self._request.url
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(key.lower(), value) for key, value in self._request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": (url.host, url.port),
        }
        try:
            await app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            self._answers.put(httpx2.ReadError("cancelled"))
            raise
        except Exception as error:
            self._answers.put(error)
        else:
            self._answers.put(_END)
        finally:
            self._done.set()

    async def _receive(self) -> Message:
        if self._sent:
            await self._done.wait()
            return {"type": "http.disconnect"}
        self._sending = True
        try:
            chunk = await self.loop.run_in_executor(None, next, self._body, None)
        finally:
            self._moved, self._sending = time.monotonic(), False
        self._sent = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._answers.put((message["status"], list(message.get("headers", []))))
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")
            if body and self._request.method != "HEAD":
                await self._in_flight.acquire()
                self._answers.put(body)
            if not message.get("more_body", False):
                self._done.set()
