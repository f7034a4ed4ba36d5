"""The network address and the member behind a request.

The address is for counting, as rate limits do; it never decides who may sign in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartbreed.accounts.members import Members, SignedIn


def client_of(request: Any) -> str:
    """Return the network address of the client; empty if unknown.

    If the peer is one of ``SMARTBREED_TRUSTED_PROXIES``, the server has already replaced its address by the
    forwarded one.

    Args:
        request: of starlette or gradio; None for an internal call.
    """
    return str(getattr(getattr(request, "client", None), "host", "") or "")


def calling_client() -> str:
    """Return `client_of` the request whose gradio event this thread is handling."""
    from gradio.context import LocalContext

    return client_of(LocalContext.request.get(None))


def calling_scope() -> Mapping[str, Any]:
    """Return the ASGI scope of the request whose gradio event this thread is handling; empty if none."""
    from gradio.context import LocalContext

    # gradio's wrapper turns dicts into objects, so read the scope of the wrapped request.
    request = getattr(LocalContext.request.get(None), "request", None)
    return getattr(request, "scope", {})


def calling_headers() -> Mapping[str, str]:
    """Return the headers of the request whose gradio event this thread is handling; empty if none."""
    from gradio.context import LocalContext

    request = LocalContext.request.get(None)
    return request.headers if request is not None else {}


def calling_member(members: Members) -> SignedIn | None:
    """Return the member whose gradio event this thread is handling; None for visitors.

    Raises:
        StorageError: the database failed.
    """
    return members.of(calling_headers())
