"""Where a request comes from, to count by; never to let anybody in by."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any


def client_of(request: Any) -> str:
    """The network address of whoever sent a request; empty when it is not known.

    A peer inside our own network is taken for a proxy, and the last address it has put into
    ``X-Forwarded-For`` counts: the one before that proxy. Who forges that header from inside can
    count as several; the limit on all of them holds all the same.

    Args:
        request: of starlette or gradio; None for a call from within.
    """
    peer = str(getattr(getattr(request, "client", None), "host", "") or "")
    with suppress(ValueError):
        headers = getattr(request, "headers", {})
        last = str(headers.get("x-forwarded-for", "")).rpartition(",")[2].strip()
        if last and not ipaddress.ip_address(peer).is_global:
            return str(ipaddress.ip_address(last))
    return peer


def calling_client() -> str:
    """`client_of` the request whose gradio event this thread is handling."""
    from gradio.context import LocalContext

    return client_of(LocalContext.request.get(None))
