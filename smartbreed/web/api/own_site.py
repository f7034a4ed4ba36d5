"""Check every request before gradio sees it: the address must be known, and no other website may send it.

gradio allows every origin to read its answers and to send cookies, trusts ``X-Forwarded-Host``, and
brings routes of its own. This middleware stands in front of it. It answers unknown addresses with 404,
rejects what a browser sends on behalf of another site, sets the CORS headers itself, handles HEAD as GET,
and passes on only forwarded addresses that can be trusted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smartbreed.accounts.maintainers import OTHER_SITE
from smartbreed.accounts.origin import from_other_site, passed_on, public_origin
from smartbreed.core.settings import Settings
from smartbreed.web.address import prefixed, root
from smartbreed.web.api.access import Route, route_for

#: CORS headers for routes whose `Route.who` is ``anyone``: what scripts of other sites may send; no cookies.
_PREFLIGHT = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"600"),
)


class OwnSiteMiddleware:
    """Rejects unknown addresses (404) and requests from other sites (403).

    Args:
        app: the wrapped app.
        settings: only the public address is used.
        not_found: makes the page that people get at an unknown address, in a thread, because it reads the
            database; None: they get JSON, as programs do.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, not_found: Callable[[], Response] | None = None
    ) -> None:
        self._app, self._not_found = app, not_found
        self._public = public_origin(settings.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # no route uses WebSockets
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        route = route_for(scope["path"])
        if route is None and self._not_found and _reads(scope, headers):
            answer = await run_in_threadpool(self._not_found)
            await answer(scope, receive, send)
            return
        if route is None:
            await _answer(send, 404, "no_such_page", "There is nothing here.")
            return
        shared = route.who == "anyone"
        if from_other_site(headers, self._public) and not shared and not _opens_page(scope, headers):
            await _answer(send, 403, "closed", OTHER_SITE)
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _empty(send, 204 if shared else 403, _PREFLIGHT if shared else ())
            return
        if scope["path"].strip("/") == "":
            scope = {**scope, "query_string": _without_page(scope["query_string"])}
        if scope["method"] == "HEAD" and "HEAD" in route.methods.split():
            scope = {**scope, "method": "GET"}  # the server drops the body of the answer
        sending = _own_cors(send, route, headers.get("host", ""))
        await self._app(self._believable(scope, headers), receive, sending)

    def _believable(self, scope: Scope, headers: Headers) -> Scope:
        """Return the scope without a forwarded host that the sender could have made up.

        gradio builds URLs from ``X-Forwarded-Host``. The public address takes its place, if one is
        configured and a proxy forwarded the request. The sender's value is renamed, not removed, so that it
        still shows that there was a proxy.
        """
        through_proxy = passed_on(headers)
        public = self._public if through_proxy else ""
        if "x-forwarded-host" not in headers and not public:
            return scope
        raw = [
            (b"x-forwarded-original-host" if name == b"x-forwarded-host" else name, value)
            for name, value in scope["headers"]
            if not (public and name == b"x-forwarded-proto")
        ]
        if public:
            scheme, _, host = public.partition("://")
            raw += [(b"x-forwarded-host", host.encode()), (b"x-forwarded-proto", scheme.encode())]
        return {**scope, "headers": raw}


def _without_page(query: bytes) -> bytes:
    """Return the query of the front page without the parameter ``page``.

    gradio would show the page that it names instead of the front page, even one that is switched off, and
    would raise if there is no such page.
    """
    parts = query.split(b"&")
    return b"&".join(part for part in parts if unquote_to_bytes(part.partition(b"=")[0]) != b"page")


def _opens_page(scope: Scope, headers: Headers) -> bool:
    """True if the browser follows a link or loads a frame: the other site cannot read the answer."""
    return scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"


def _reads(scope: Scope, headers: Headers) -> bool:
    """True if a person opens an address in a browser, and so needs a page rather than JSON."""
    return (
        scope["method"] in ("GET", "HEAD")
        and "text/html" in headers.get("accept", "")
        and not scope["path"].startswith(("/api/", "/gradio_api/", "/files/"))
    )


def _below_root(location: str, host: str) -> str:
    """Return the target of a redirect; within this site, the path prefix that the proxy strips is added."""
    parts = urlsplit(location)
    if root() == "/" or parts.netloc not in ("", host) or not parts.path.startswith("/"):
        return location
    return parts._replace(path=prefixed(parts.path)).geturl()


def _own_cors(send: Send, route: Route, host: str) -> Send:
    """Wrap ``send``: replace gradio's CORS headers by those of the route, and correct redirects."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [name for name in headers if name.startswith("access-control-")]:
                del headers[name]
            if route.who == "anyone":
                headers["Access-Control-Allow-Origin"] = "*"
            if "location" in headers:
                headers["Location"] = _below_root(headers["location"], host)
        await send(message)

    return sending


async def _answer(send: Send, status: int, code: str, message: str) -> None:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _empty(send: Send, status: int, headers: Any) -> None:
    length = [] if status == 204 else [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": b""})
