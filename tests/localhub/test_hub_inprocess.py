"""The transport that runs the application in this process, and the port that may be taken."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from localhub.embedded import serve, serving
from localhub.errors import SettingError
from localhub.inprocess import InProcessTransport
from localhub.store import HubStore


def client(app: Any, **arguments: Any) -> httpx2.Client:
    return httpx2.Client(transport=InProcessTransport(app), base_url="http://made.up", **arguments)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send back each piece as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def test_bodies_stream_both_ways() -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(200):
            yield bytes([number]) * 1000

    with client(echo) as http, http.stream("POST", "/a%2Fb?q", content=pieces()) as response:
        assert response.headers["x-path"] == "/a%2Fb"
        assert b"".join(response.iter_raw()) == b"".join(pieces())


def test_an_answer_that_is_not_read_ends_the_request() -> None:
    ended = threading.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        finally:
            ended.set()

    with client(endless) as http, http.stream("GET", "/") as response:
        assert next(response.iter_raw())
    assert ended.wait(5)


def test_an_application_that_hangs_or_fails() -> None:
    async def hang(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("no")

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return

    with client(hang, timeout=0.1) as http, pytest.raises(httpx2.ReadTimeout):
        http.get("/")
    for app in (fail, silent):
        with client(app) as http, pytest.raises(httpx2.RemoteProtocolError):
            http.get("/")


def test_a_taken_port_is_a_sentence(store: HubStore) -> None:
    with serving(store) as endpoint:
        port = int(endpoint.rsplit(":", 1)[1])
        with pytest.raises(SettingError, match=f"Port {port}"):
            serve(store, port=port)


def test_a_slow_upload_is_no_silence() -> None:
    """Whether the sender or the application is slow: only the answer has to come in time."""

    async def take(scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
            await asyncio.sleep(pause)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": str(size).encode()})

    def pieces(seconds: float, number: int) -> Iterator[bytes]:
        for _ in range(number):
            time.sleep(seconds)
            yield b"x"

    with client(take, timeout=0.4) as http:
        pause = 0.15
        assert http.post("/", content=pieces(0, 8)).text == "8"
        pause = 0.0
        assert http.post("/", content=pieces(0.6, 2)).text == "2"
        pause = 2.0
        with pytest.raises(httpx2.ReadTimeout):
            http.post("/", content=pieces(0, 1))
