"""Whom a request is counted for: the peer, or what a configured proxy says; never what the client claims."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from smartbreed.core.settings import load_settings
from smartbreed.web.api.client import client_of


async def _who(request: Request) -> PlainTextResponse:
    return PlainTextResponse(client_of(request))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("space", "trusted", "peer", "counted"),
    [
        ("", "", "10.0.0.7", "10.0.0.7"),
        ("", "10.0.0.0/8", "10.0.0.7", "203.0.113.9"),
        ("", "10.0.0.0/8", "192.168.1.5", "192.168.1.5"),
        ("me/space", "", "10.0.0.7", "203.0.113.9"),
        ("me/space", "", "198.51.100.4", "198.51.100.4"),
        ("me/space", "192.168.0.0/16", "10.0.0.7", "10.0.0.7"),
    ],
)
async def test_forwarded_addresses_count_from_configured_proxies_alone(
    space: str, trusted: str, peer: str, counted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACE_ID", space)
    settings = load_settings(trusted_proxies=trusted)
    app = ProxyHeadersMiddleware(Starlette(routes=[Route("/", _who)]), settings.proxies)
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/", headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.9"})
    assert answer.text == counted


def test_a_call_from_within_has_no_address() -> None:
    assert client_of(None) == ""
