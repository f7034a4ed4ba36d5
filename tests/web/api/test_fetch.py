"""Photos from web addresses: only public ones, checked again at every redirect, never more than allowed."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator, Callable

import anyio
import httpx
import pytest

from smartbreed.core.errors import PhotoError
from smartbreed.web.api import fetch as module

NAMES = {
    "public.example": "93.184.215.14",
    "inside.example": "10.0.0.7",
    "mixed.example": "93.184.215.14 127.0.0.1",
}


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[httpx.Request], httpx.Response]], list[str]]:
    """A web that one function answers; returns the addresses that were connected to."""

    async def getaddrinfo(self, host: str, *_, **__):
        if host in NAMES:
            return [(socket.AF_INET, 1, 6, "", (ip, 0)) for ip in NAMES[host].split()]
        try:
            return [(socket.AF_INET, 1, 6, "", (str(ipaddress.ip_address(host)), 0))]
        except ValueError:
            raise socket.gaierror from None

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", getaddrinfo)
    connected: list[str] = []

    def install(answer: Callable[[httpx.Request], httpx.Response]) -> list[str]:
        def transport(address: str) -> httpx.MockTransport:
            connected.append(address)
            return httpx.MockTransport(answer)

        monkeypatch.setattr(module, "_Pinned", transport)
        return connected

    return install


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    """A body that streams, as from a network."""
    for chunk in data:
        yield chunk


def fetch(url: str, max_bytes: int = 100) -> tuple[bytes, str]:
    async def run() -> tuple[bytes, str]:
        return await module.fetch(url, max_bytes=max_bytes)

    return anyio.run(run)


def test_a_public_photo(web) -> None:
    connected = web(lambda request: httpx.Response(200, content=chunks(b"photo")))
    assert fetch("https://public.example/a%20b.jpg?x=1") == (b"photo", "a b.jpg")
    assert connected == ["93.184.215.14"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data", "http://100.64.0.1/", "http://0.0.0.0/", "http://224.0.0.1/",
        "http://inside.example/", "http://mixed.example/", "http://nowhere.example/", "ftp://public.example/",
        "http://user:pass@public.example/", "http://", "http://[bad/",
        "http://public.example:8080/", "http://public.example:22/", "https://public.example:8443/",
        "http://public.example:0/", "http://public.example:99999/", "http://public.example:x/",
        "http://168.63.129.16/", "http://[fec0::1]/", "http://[4000::1]/", "http://[fd00::1]/",
        "http://[::127.0.0.1]/", "http://[::ffff:0:10.0.0.1]/", "http://[64:ff9b::169.254.169.254]/",
        "http://[64:ff9b:1::8.8.8.8]/", "http://[2002:7f00:1::]/", "http://[2001:0:808:808::f5ff:fffe]/",
        "http://[::ffff:168.63.129.16]/", "http://[2606:4700::5efe:10.0.0.1]/",
    ],
)  # fmt: skip
def test_everything_else_is_refused_without_a_connection(web, url: str) -> None:
    connected = web(lambda request: httpx.Response(200, content=b"secret"))
    with pytest.raises(PhotoError) as caught:
        fetch(url)
    assert caught.value.code == "not_found"
    assert connected == []


@pytest.mark.parametrize(
    "url",
    [
        "http://public.example:80/a", "https://public.example:443/a", "http://public.example:443/a",
        "http://[2606:4700::1111]/a", "http://[64:ff9b::8.8.8.8]/a",
    ],
)  # fmt: skip
def test_websites_are_asked(web, url: str) -> None:
    web(lambda request: httpx.Response(200, content=chunks(b"photo")))
    assert fetch(url) == (b"photo", "a")


def test_a_redirect_to_another_port_is_refused(web) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "http://public.example:6379/"})

    web(answer)
    with pytest.raises(PhotoError):
        fetch("http://public.example/")
    assert asked == ["http://public.example/"]


def test_redirects_are_followed_and_checked(web) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/out":
            return httpx.Response(302, headers={"Location": "http://inside.example/secret"})
        if request.url.path == "/loop":
            return httpx.Response(302, headers={"Location": "/loop"})
        if request.url.path == "/moved":
            return httpx.Response(301, headers={"Location": "/rex.jpg"})
        return httpx.Response(200, content=chunks(b"photo"))

    connected = web(answer)
    assert fetch("http://public.example/moved") == (b"photo", "rex.jpg")
    for path in ("out", "loop"):
        with pytest.raises(PhotoError, match="could be fetched"):
            fetch(f"http://public.example/{path}")
    assert set(connected) == {"93.184.215.14"}


def test_limits_and_failures(web) -> None:
    web(lambda request: httpx.Response(200, content=chunks(bytes(60), bytes(60))))
    with pytest.raises(PhotoError) as caught:
        fetch("http://public.example/")
    assert caught.value.code == "too_many_bytes"
    web(lambda request: httpx.Response(404))
    with pytest.raises(PhotoError) as caught:
        fetch("http://public.example/")
    assert caught.value.code == "not_found"


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    seen = {}

    class Inner(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            seen["url"], seen["host"] = str(request.url), request.headers["host"]
            seen["tls"] = request.extensions["sni_hostname"]
            return httpx.Response(200)

    async def run() -> None:
        pinned = module._Pinned("93.184.215.14")
        pinned._pool = None  # the pool would open a connection
        request = httpx.Request("GET", "https://public.example/x")
        monkey = httpx.AsyncHTTPTransport.handle_async_request
        httpx.AsyncHTTPTransport.handle_async_request = lambda _, r: Inner().handle_async_request(r)
        try:
            await pinned.handle_async_request(request)
        finally:
            httpx.AsyncHTTPTransport.handle_async_request = monkey

    anyio.run(run)
    assert seen == {"url": "https://93.184.215.14/x", "host": "public.example", "tls": "public.example"}
