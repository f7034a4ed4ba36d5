"""Where a request comes from, to count by; it never decides who may sign in."""

from __future__ import annotations

from typing import Any


def client_of(request: Any) -> str:
    """The network address of the client; empty when it is not known.

    The server has already put the forwarded address here where the peer is one of
    ``SMARTBREED_TRUSTED_PROXIES``, and only there.

    Args:
        request: of starlette or gradio; None for a call from within.
    """
    return str(getattr(getattr(request, "client", None), "host", "") or "")


def calling_client() -> str:
    """`client_of` the request whose gradio event this thread is handling."""
    from gradio.context import LocalContext

    return client_of(LocalContext.request.get(None))
