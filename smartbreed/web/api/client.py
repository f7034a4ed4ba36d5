"""Where a request comes from, to count by (it never decides who may sign in), and which member sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartbreed.accounts.members import Members, SignedIn


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


def calling_scope() -> Mapping[str, Any]:
    """The scope of the request whose gradio event this thread is handling; empty: there is none."""
    from gradio.context import LocalContext

    # gradio's wrapper makes objects of what is a dict, so the request itself is asked.
    request = getattr(LocalContext.request.get(None), "request", None)
    return getattr(request, "scope", {})


def calling_headers() -> Mapping[str, str]:
    """Headers of the request whose gradio event this thread is handling; empty: there is none."""
    from gradio.context import LocalContext

    request = LocalContext.request.get(None)
    return request.headers if request is not None else {}


def calling_member(members: Members) -> SignedIn | None:
    """The member whose gradio event this thread is handling; None for visitors.

    Raises:
        StorageError: the database refused.
    """
    return members.of(calling_headers())
