"""A proxy that serves an app under a prefix and takes the prefix away, or several replicas of it by turns."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from support.clock import until


@contextmanager
def prefix_proxy(prefix: str, *ports: int) -> Iterator[str]:
    """Passes on what is below ``prefix`` to each of ``ports`` in turn; yields its own address."""
    transport = httpx.AsyncHTTPTransport()  # a client would keep the cookies of one visitor for the next
    turns = itertools.cycle(f"http://127.0.0.1:{port}" for port in ports)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = scope["raw_path"].decode()
        if not path.startswith(prefix + "/"):
            await PlainTextResponse(f"outside of {prefix}", 418)(scope, receive, send)
            return
        query = f"?{request.url.query}" if request.url.query else ""
        headers = [(key, value) for key, value in request.headers.raw if key != b"accept-encoding"]
        passed = httpx.Request(
            request.method,
            f"{next(turns)}{path.removeprefix(prefix)}{query}",
            content=await request.body(),
            headers=headers,
        )
        answer = await transport.handle_async_request(passed)

        async def body() -> AsyncIterator[bytes]:
            async for chunk in answer.aiter_raw():
                yield chunk
            await answer.aclose()

        response: Response = StreamingResponse(body(), answer.status_code)
        response.raw_headers = [(key.lower(), value) for key, value in answer.headers.raw]
        await response(scope, receive, send)

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
