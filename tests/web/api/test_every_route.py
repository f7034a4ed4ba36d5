"""Bad input at every route of the running app: never a 500, never a traceback."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.processes import Server

VALUES = ("99999", "_start", "-1", "%00", "..%2f..%2fetc", "a" * 300, "é", "identify")
QUERIES = ("", "session_hash=x", "upload_id=%00&page=7&logs=a", "fn_index=abc&session_hash=")
MULTIPART = "multipart/form-data; boundary=b"


def part(disposition: str) -> bytes:
    return f"--b\r\nContent-Disposition: {disposition}\r\n\r\nabc\r\n--b--\r\n".encode()


BODIES: tuple[tuple[str, bytes], ...] = (
    *(
        ("application/json", json.dumps(value).encode())
        for value in (
            {},
            [],
            "x",
            5,
            None,
            {"data": 5},
            {"data": []},
            {"data": [None] * 50},
            {"data": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]},
            {"data": [], "fn_index": 99_999, "session_hash": "x"},
            {"data": [], "fn_index": -1, "session_hash": "x", "event_data": 5, "trigger_id": "a"},
            {"data": [], "session_hash": ["x"], "event_id": {}},
            {"session_hash": "x", "event_id": "y", "fn_index": 99_999, "data": ["a"], "component_id": 1,
             "fn_name": "nothing"},
            {"jsonrpc": "2.0", "id": 1, "method": "nothing", "params": [[]]},
            {"password": [[[[]]]]},
            {"photo": 5, "oauth_token": []},
        )
    ),
    ("application/json", b"[" * 60 + b"]" * 60),
    ("application/json", b"{nonsense"),
    ("application/json", b"\xff\xfe\x00"),
    ("application/json", b'{"data": [1e999, NaN, "\\ud800"]}'),
    ("application/json", b'{"data": [], "session_hash": "\\ud800"}'),
    ("application/json", b'{"data": [%s]}' % (b"9" * 5000)),
    ("text/plain", b"abc"),
    ("", b"abc"),
    ("application/x-www-form-urlencoded", b"username=%00&password="),
    (MULTIPART, b"nonsense"),
    ("multipart/form-data", b"nonsense"),
    (MULTIPART, part('form-data; name="files"')),
    (MULTIPART, part('form-data; name="files"; filename=""')),
    (MULTIPART, part('form-data; name="files"; filename="/"')),
    (MULTIPART, part('form-data; name="files"; filename="../../x"')),
    (MULTIPART, part('form-data; name="other"; filename="a.jpg"')),
    (MULTIPART, part("form-data")),
    (MULTIPART, part('form-data; filename="a.jpg"')),
    (MULTIPART, part('form-data; name="files"; filename="' + "é" * 200 + '.jpg"')),
)  # fmt: skip


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str]]:
    """Method and path pattern of every route, as the app itself has them."""
    from fastapi import FastAPI
    from gradio.routes import App

    from smartbreed.core.settings import load_settings
    from smartbreed.services import Services
    from smartbreed.web.server import build_routes, build_server

    services = Services(load_settings())
    blocks = build_server(services)
    app = App.create_app(blocks, app_kwargs={"routes": build_routes(services)}, mcp_server=True)

    def walk(found: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
        for route in found:
            if isinstance(getattr(route, "app", None), FastAPI):  # of REST, whose paths are whole already
                yield from walk(route.app.routes)
                continue
            path = prefix + getattr(route, "path", "")
            for method in sorted(getattr(route, "methods", None) or ()):
                yield method, path
            included = getattr(route, "original_router", None)  # FastAPI's, with whole paths
            inner = getattr(included or getattr(route, "app", None) or route, "routes", None)
            if inner:
                yield from walk(inner, path)
            elif not getattr(route, "methods", None):
                yield from ((method, path) for method in ("GET", "POST"))

    return sorted(set(walk(app.routes)))


def paths(pattern: str) -> Iterator[str]:
    names = re.findall(r"\{[^}]*\}", pattern)
    for value in VALUES if names else ("",):
        yield re.sub(r"\{[^}]*\}", lambda _: value, pattern)  # noqa: B023


@pytest.mark.slow
def test_no_route_answers_bad_input_with_a_traceback(server: Server, routes) -> None:
    assert len(routes) > 100
    assert ("POST", "/gradio_api/call/v2/{api_name}") in routes
    failures, base = [], server.url.rstrip("/")
    with httpx.Client(timeout=httpx.Timeout(60, read=20)) as client:

        def send(method: str, url: str, kind: str = "", body: bytes = b"") -> None:
            headers = {"Content-Type": kind} if kind else {}
            before = len(server.log())
            try:
                with client.stream(method, base + url, content=body, headers=headers) as answer:
                    status = answer.status_code  # a stream of events is not waited for
            except httpx.ReadTimeout:
                status = 0  # waits for events
            if (status >= 500 and status not in (501, 503, 507)) or "Traceback" in server.log()[before:]:
                failures.append((method, url[:80], kind, body[:90], status, server.log()[before:][-300:]))

        for method, pattern in routes:
            if method == "HEAD":
                continue
            for path, query in itertools.product(paths(pattern), QUERIES if method == "GET" else QUERIES[:1]):
                send(method, path + ("?" + query if query else ""))
            if method not in ("GET", "OPTIONS"):
                for kind, body in BODIES:
                    send(method, next(paths(pattern.replace("{api_name}", "identify"))), kind, body)
    assert not failures, "\n".join(map(str, failures))
    assert server.process.poll() is None
