"""Fetch a photo from a public web address, never from this machine or its network.

MCP clients and the Gradio client may send a web address instead of a file. A server
that fetches for every visitor can be made to read its own network (SSRF). Therefore
the name is resolved once, each of its addresses must be public
(`smartbreed.web.api.public_address`), the port must be that of a website, and the
request goes to exactly the address that was checked. Each redirect is checked again.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from smartbreed.core.errors import PhotoError
from smartbreed.web.api.public_address import is_public

SECONDS = 20.0
#: The only allowed ports; any other belongs to a service that is not a website.
PORTS = {"http": 80, "https": 443}
MAX_REDIRECTS = 5
_AGENT = "SmartBreed (photo requested by a user)"


class _Refused(Exception):
    """Nothing is fetched from this address."""


class _Pinned(httpx.AsyncHTTPTransport):
    """Connects to one address, whatever the name resolves to by then. TLS still checks the name."""

    def __init__(self, address: str) -> None:
        super().__init__(trust_env=False)
        self._address = address

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=self._address)
        return await super().handle_async_request(request)


async def fetch(url: str, *, max_bytes: int) -> tuple[bytes, str]:
    """Return the bytes at ``url`` and the file's name.

    Raises:
        PhotoError: ``not_found`` for anything that cannot be fetched, ``too_many_bytes`` as
            soon as more than ``max_bytes`` have arrived.
    """
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(MAX_REDIRECTS + 1):
                answer = await _get(url, max_bytes)
                if isinstance(answer, bytes):
                    return answer, unquote(PurePosixPath(urlsplit(url).path).name)
                url = urljoin(url, answer)
    except (_Refused, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TimeoutError):
        # The reason is not reported: "refused" or "no such name" would tell a caller about the network.
        pass
    raise PhotoError(
        "not_found", "No photo could be fetched from this web address. Send the file itself instead."
    )


async def _get(url: str, max_bytes: int) -> bytes | str:
    """Return the content, or the target of a redirect."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.username or parts.password:
        raise _Refused
    if parts.port is not None and parts.port not in PORTS.values():
        raise _Refused
    address = await _public_address(parts.hostname)
    async with (
        httpx.AsyncClient(transport=_Pinned(address), trust_env=False, timeout=SECONDS) as client,
        client.stream("GET", url, headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"}) as response,
    ):
        if response.has_redirect_location:
            return response.headers["Location"]
        response.raise_for_status()
        data = bytearray()
        async for chunk in response.aiter_raw():
            data += chunk
            if len(data) > max_bytes:
                raise PhotoError(
                    "too_many_bytes",
                    f"The photo at this address has more than {max_bytes:,} bytes. Send a smaller copy.",
                )
        return bytes(data)


async def _public_address(host: str) -> str:
    """Return an address of ``host``; all of its addresses must be public."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise _Refused
    return addresses[0]
