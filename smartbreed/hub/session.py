"""The HTTP client that ``huggingface_hub`` uses in this process, with time-outs and in-process Hubs."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

#: Seconds that any request may take to connect, or to send or receive its next bytes. The library sets no
#: limit, so a server that accepts a connection and never answers would hang it for ever.
TIMEOUT = 20.0

#: Domain of the hosts of Hubs mounted in this process. A client looks them up at each request, so mounting
#: one closes no client that another thread is reading with.
DOMAIN = "hub.smartbreed.invalid"

_guard = threading.Lock()
_mounted: dict[str, httpx2.BaseTransport] = {}
_installed = False


def install() -> None:
    """Make ``huggingface_hub`` use `make_client`; further calls change nothing."""
    global _installed
    from huggingface_hub import set_client_factory

    with _guard:
        if not _installed:
            set_client_factory(make_client)
            _installed = True


def mount(host: str, transport: httpx2.BaseTransport) -> None:
    """Send requests for `host` through `transport` instead of the network.

    Raises:
        ValueError: `host` is not in `DOMAIN`.
    """
    if not host.endswith(f".{DOMAIN}"):
        raise ValueError(f"A mounted Hub's host ends with .{DOMAIN}. Received: {host}.")
    _mounted[host] = transport
    install()


def unmount(host: str) -> httpx2.BaseTransport | None:
    """Undo `mount`; return the transport of `host`, or None if nothing was mounted."""
    return _mounted.pop(host, None)


def switch_xet_off() -> None:
    """Switch xet uploads off in this process: the client does not check whether a Hub supports them."""
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # already imported; it reads this attribute at each use
        constants.HF_HUB_DISABLE_XET = True  # type: ignore[attr-defined]


def make_client() -> httpx2.Client:
    """Create a client like the library's own, with time-outs and the mounted Hubs."""
    import httpx2
    from huggingface_hub.utils._http import hf_request_event_hook

    class Mounted(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            transport = _mounted.get(request.url.host)
            if transport is None:
                raise httpx2.ConnectError("this Hub is not mounted", request=request)
            return transport.handle_request(request)

    def check(request: Any) -> None:
        # HF_HUB_OFFLINE concerns the network, which a Hub mounted in this process does not need.
        if request.url.host not in _mounted:
            hf_request_event_hook(request)

    def cap(request: Any) -> None:
        timeout = request.extensions.get("timeout") or {}
        request.extensions["timeout"] = {
            part: min(timeout.get(part) or TIMEOUT, TIMEOUT) for part in ("connect", "read", "write", "pool")
        }

    class Unreachable(httpx2.BaseTransport):
        """Replaces the network when the environment's proxy or certificates cannot be used."""

        def __init__(self, reason: str) -> None:
            self._reason = reason

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectError(self._reason, request=request)

    options: dict[str, Any] = {
        "event_hooks": {"request": [check, cap]},
        "follow_redirects": True,
        "timeout": TIMEOUT,
    }
    mounts: dict[str, httpx2.BaseTransport | None] = {f"all://*.{DOMAIN}": Mounted()}
    try:
        return httpx2.Client(**options, mounts=mounts)
    except (ImportError, OSError, ValueError) as error:
        log.warning("the proxy or certificates of the environment cannot be used: %s", error)
        mounts["all://"] = Unreachable(
            f"the proxy or certificates of the environment cannot be used: {error}"
        )
        return httpx2.Client(**options, mounts=mounts, trust_env=False)
