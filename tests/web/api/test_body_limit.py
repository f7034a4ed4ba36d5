"""Bodies: too large, too deep, too slow, at every kind of route; with and without Content-Length."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import MAX_BYTES

from smartbreed.core.errors import RequestError
from smartbreed.web.api.body_limit import ORDINARY, BodyLimit
from smartbreed.web.api.memory import MAX_DIGITS, Memory, check_json

ROUTES = (
    "gradio_api/call/identify",
    "gradio_api/call/v2/identify",
    "gradio_api/run/identify",
    "gradio_api/queue/join",
    "gradio_api/cancel",
    "gradio_api/reset",
    "gradio_api/mcp/",
    "gradio_api/upload",
    "api/identify",
    "api/flag",
    "api/webhooks/model",
    "maintainer/enter",
)
#: Addresses that the allow-list does not know; it answers before any body is read.
UNKNOWN = ("gradio_api/api/identify", "gradio_api/component_server", "login", "nowhere")
JSON = {"Content-Type": "application/json"}


def chunks(text: bytes) -> Iterator[bytes]:
    for start in range(0, len(text), 65_536):
        yield text[start : start + 65_536]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_of_its_route(server, route: str, chunked: bool) -> None:
    limit = 3 * MAX_BYTES // 2 if route in ("api/identify", "api/flag", "gradio_api/mcp/") else ORDINARY
    text = b'{"data": ["' + b"x" * limit + b'"]}'
    headers = JSON
    if "upload" in route:
        head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n\xff\xd8\xff'
        part = head + b"x" * (MAX_BYTES - 100) + b"\r\n"
        text, headers = part * 6, {"Content-Type": "multipart/form-data; boundary=b"}
    answer = httpx.post(
        server.url + route, content=chunks(text) if chunked else text, headers=headers, timeout=60
    )
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_many_bytes"


@pytest.mark.parametrize("route", UNKNOWN)
def test_a_body_to_an_unknown_address_is_not_read(server, route: str) -> None:
    answer = httpx.post(server.url + route, content=b"[" * (2 * ORDINARY), headers=JSON, timeout=60)
    assert answer.status_code == 404


@pytest.mark.parametrize("route", [route for route in ROUTES if "upload" not in route])
@pytest.mark.parametrize(("start", "more"), [("[", "["), ('{"data": ', '{"a":'), ('{"data": [', "[],")])
def test_json_that_would_unfold_is_not_parsed(server, route: str, start: str, more: str) -> None:
    answer = httpx.post(server.url + route, content=start + more * 100_000, headers=JSON, timeout=60)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["code"] == "bad_body"


def test_other_encodings_of_json_hide_nothing(server) -> None:
    for encoding in ("utf-16", "utf-16-be", "utf-32", "utf-32-le"):
        text = ("[" * 1000).encode(encoding)
        answer = httpx.post(server.url + "api/identify", content=text, headers=JSON, timeout=60)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_body")


nested: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{},:"\\ aé'),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='[{"\\a'), inner, max_size=4)
    ),
    max_leaves=40,
)


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(nested, st.booleans())
def test_the_depth_is_that_of_the_parsed_value(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    depth = depth_of(value)
    check_json(text, max_depth=depth)
    if depth:
        with pytest.raises(RequestError):
            check_json(text, max_depth=depth - 1)


def test_a_long_text_is_counted_across_its_slices() -> None:
    inner = b"[1," * 30 + b"2" + b"]" * 30
    text = b"[" + b" " * 300_000 + inner + b" " * 300_000 + b"," + inner + b"]"
    check_json(text, max_depth=31, max_items=200)
    with pytest.raises(RequestError, match="deep"):
        check_json(text, max_depth=30, max_items=200)
    with pytest.raises(RequestError, match="items"):
        check_json(text, max_depth=31, max_items=100)


def test_no_number_is_longer_than_a_parser_takes() -> None:
    check_json(b'{"id": %s, "text": "%s"}' % (b"9" * 300, b"9" * 5000))
    with pytest.raises(RequestError, match="digits") as caught:
        check_json(b'{"id": %s}' % (b"9" * 5000))
    assert caught.value.status == 400


@pytest.mark.parametrize("places", [1, 2])
def test_a_number_is_measured_across_the_slices(places: int) -> None:
    before = b"[" + b" " * (places * (1 << 18) - 501)
    check_json(before + b"9" * MAX_DIGITS + b"]")
    with pytest.raises(RequestError, match="digits"):
        check_json(before + b"9" * (MAX_DIGITS + 1) + b"]")
    with pytest.raises(RequestError, match="digits"):
        check_json(b"9" * (places << 18))
    check_json(b"[" + (b"1" * MAX_DIGITS + b" ") * 500 * places)


def test_a_string_that_ends_in_half_an_escape_is_read_once() -> None:
    """Reading it again from every quote would not end within the time limit of a test."""
    text = b'["' + b'\\"[' * 5_000_000 + b"\\"
    check_json(text, max_depth=1, max_items=1)


def test_more_strings_than_items_are_not_all_read() -> None:
    for text in (b'["' + b'"' * 1000, b'{"a":"b"' + b',"a":"b"' * 500):
        with pytest.raises(RequestError, match="items") as caught:
            check_json(text, max_items=100)
        assert caught.value.status == 413
    check_json(b'{"a":"b"' + b',"a":"b"' * 99 + b"}", max_items=100)  # two strings each


@given(st.binary(max_size=200))
def test_any_bytes_are_checked_without_another_error(data: bytes) -> None:
    with contextlib.suppress(RequestError):
        check_json(data, max_depth=3, max_items=10)


def test_memory_is_given_out_in_order_and_never_beyond_its_size() -> None:
    async def run() -> None:
        memory, held, most, order = Memory(100), 0, 0, []
        draw = random.Random(0)

        async def one(number: int) -> None:
            nonlocal held, most
            taken = await memory.acquire(draw.choice([1, 30, 100, 400]), patience_s=30)
            order.append(number)
            held += taken
            most = max(most, held)
            await asyncio.sleep(0)
            held -= taken
            memory.release(taken)

        await asyncio.gather(*(one(number) for number in range(200)))
        assert most <= 100
        assert order == sorted(order)
        assert await memory.acquire(100, patience_s=1) == 100  # all of it came back
        with pytest.raises(TimeoutError):
            await memory.acquire(1, patience_s=0.01)
        memory.release(100)
        assert await memory.acquire(100, patience_s=1) == 100

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["cancel", "time-out"])
def test_a_turn_that_ends_while_it_is_granted_gives_the_memory_back(kind: str) -> None:
    async def run() -> None:
        memory = Memory(10)
        held = await memory.acquire(10, patience_s=1)
        waiting = asyncio.create_task(memory.acquire(5, patience_s=0 if kind == "time-out" else 60))
        await asyncio.sleep(0)  # it waits
        if kind == "cancel":
            waiting.cancel()
        else:
            await asyncio.sleep(0)  # its patience ends, and it has not noticed yet
        memory.release(held)
        with pytest.raises(asyncio.CancelledError if kind == "cancel" else TimeoutError):
            await waiting
        assert await memory.acquire(10, patience_s=1) == 10

    asyncio.run(run())


def ask(limit: BodyLimit, messages: list[dict[str, Any]], path: str, **headers: str) -> list[dict[str, Any]]:
    """What middleware answers to the messages of a body; after them nothing more comes."""
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        left = list(messages)

        async def receive() -> dict[str, Any]:
            if left:
                return left.pop(0)
            await asyncio.sleep(3600)
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await limit({"type": "http", "path": path, "method": "POST", "headers": raw}, receive, send)

    asyncio.run(run())
    return sent


def test_a_body_that_stops_coming_is_given_up() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        raise AssertionError("the body never ended")

    limit = BodyLimit(app, max_bytes=1000, grace_s=0.05)
    begun = [{"type": "http.request", "body": b"xx", "more_body": True}]
    for path in ("/api/identify", "/gradio_api/upload"):
        start, body = ask(limit, begun, path, content_length="100")
        assert start["status"] == 408
        assert json.loads(body["body"])["error"]["code"] == "too_slow"


def test_a_client_that_goes_away_is_not_answered() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("half a body is not passed on")

    gone = [{"type": "http.request", "body": b"xx", "more_body": True}, {"type": "http.disconnect"}]
    assert ask(BodyLimit(app, max_bytes=1000), gone, "/api/identify", content_length="100") == []


@pytest.mark.parametrize("before", [64, 100_000])
@pytest.mark.parametrize("sign", [b" ", b"\n", b"\xef\xbb\xbf", b"\0"])
def test_white_space_hides_no_json(before: int, sign: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("such JSON is not passed on")

    body = sign * before + b"[" * 1000
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    start, answer = ask(BodyLimit(app, max_bytes=1000), sent, "/api/identify", content_length=str(len(body)))
    assert start["status"] == 400
    assert json.loads(answer["body"])["error"]["code"] == "bad_body"


@pytest.mark.parametrize(
    "path", ["/teach/model/x/photos", "/teach/model/x/try", "/m/x", "/gradio_api/upload"]
)
def test_only_multipart_is_an_upload(path: str) -> None:
    received: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    limit, size = BodyLimit(app, max_bytes=1_000_000), ORDINARY + 1
    sent = [{"type": "http.request", "body": bytes(size), "more_body": False}]
    for kind in ("application/x-www-form-urlencoded", "text/plain", "", "multipart/mixed; boundary=b"):
        start, answer = ask(limit, sent, path, content_length=str(size), content_type=kind)
        assert start["status"] == 413, kind
        assert json.loads(answer["body"])["error"]["code"] == "too_many_bytes"
    assert not received
    for kind in ("multipart/form-data; boundary=b", "Multipart/Form-Data;boundary=b"):
        (start,) = ask(limit, sent, path, content_length=str(size), content_type=kind)
        assert start["status"] == 200
    assert [len(body) for body in received] == [size, size]


def test_half_a_head_is_closed(monkeypatch, tmp_path) -> None:
    """On a server of its own, whose time-out is short."""
    import threading

    import uvicorn
    from support.processes import free_port

    from smartbreed.web.api.serving import TimedProtocol

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(0.6)  # longer than the time for a head
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"ok"})

    monkeypatch.setattr(TimedProtocol, "header_s", 0.3)
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, http=TimedProtocol, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        for sent in (b"", b"GET / HTT", request + b"GET / HTT"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
                one.sendall(sent)
                heard = b""
                with contextlib.suppress(ConnectionResetError):  # that is closed too
                    while data := one.recv(4096):
                        heard += data
                assert heard.count(b"200 OK") == sent.count(b"\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
            for _ in range(2):  # a connection that is used stays open
                one.sendall(request)
                heard = b""
                while not heard.endswith(b"ok"):
                    heard += one.recv(4096)
    finally:
        server.should_exit = True
        thread.join(10)
