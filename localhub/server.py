"""The embedded Hub over HTTP: enough of huggingface.co for the unmodified clients.

`HubApp` is an ASGI application. `localhub.embedded` serves it on a port, and `localhub.inprocess`
calls it within this process. Routes are in ``routes/``, one file per concern.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from localhub.access import Access
from localhub.errors import NO_PULL_REQUESTS, HubError, LocalHubError, Moved, bad_request
from localhub.routes import account, catalogue, commits, erasing, lfs, listings, pages, repos, resolve, spaces
from localhub.routing import (
    Call,
    Limits,
    Route,
    Table,
    answer,
    base_url,
    find_repo,
    parse_form,
    parse_json,
    read_body,
    split_path,
)
from localhub.store import HubStore

log = logging.getLogger(__name__)

#: A request id that is safe in a header and in the log.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=;-]{1,128}")
#: Host names by which a browser or client on this machine reaches it.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_TABLE: Table = {
    **account.ROUTES,
    **repos.ROUTES,
    **catalogue.ROUTES,
    **pages.ROUTES,
    **listings.ROUTES,
    **commits.ROUTES,
    **lfs.ROUTES,
    **resolve.ROUTES,
    **erasing.ROUTES,
    **spaces.ROUTES,
}
_VERBS = {verb for _, verb in _TABLE}


class HubApp:
    """The ASGI application of the Hub.

    Args:
        store: the store that it serves.
        access: the access rules; by default every caller may do everything, which is only for this machine.
        limits: the most that a caller may send.
        hosts: host names that a Hub without tokens answers to, besides `LOOPBACK`.
        public_url: the Hub's address behind a proxy; if empty, that of the request.
    """

    def __init__(
        self,
        store: HubStore,
        access: Access | None = None,
        *,
        limits: Limits | None = None,
        hosts: Iterable[str] = (),
        public_url: str = "",
    ) -> None:
        self.store = store
        self.access = access or Access()
        self.limits = limits or Limits()
        self.hosts = LOOPBACK | {host.lower() for host in hosts}
        self.public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        begun, name = False, _request_id(scope)

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        try:
            response = await self._respond(Request(scope, receive))
            await response(scope, receive, watch)
        except ClientDisconnect:
            return
        except Exception as error:
            if begun:  # too late for an error answer; the client sees that the body is short
                log.exception("An answer broke off")
                raise
            await problem(error, name)(scope, receive, watch)

    async def _respond(self, request: Request) -> Response:
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        root = request.scope.get("root_path", "").encode()
        parts = split_path(raw.removeprefix(root).split(b"?")[0])
        self._check_origin(request)
        user = self.access.user(request.headers.get("authorization"))
        base = base_url(request, self.public_url)
        call = Call(request, self.store, self.access, self.limits, base, user)
        verb = "/" + "/".join(parts)
        if parts[:2] == ["api", "organizations"] and parts[3:] == ["settings", "repositories"]:
            verb, call.rest = "org:repositories", parts[2:3]
        elif verb not in _VERBS and (found := find_repo(parts, _VERBS)) is not None:
            call.name, verb, call.rest = found
        method = "GET" if request.method == "HEAD" else request.method
        route = _TABLE.get((method, verb))
        if route is None:
            if verb in _VERBS:
                raise HubError(405, f"{request.method} is not offered here")
            raise _nothing_at(verb)
        return await _run(route, call)

    def _check_origin(self, request: Request) -> None:
        """Refuse requests from web pages: any page can send some to this machine, even under its own name.

        Raises:
            HubError: 403.
        """
        host, origin = request.headers.get("host", ""), request.headers.get("origin", "")
        try:
            name, page = urlsplit(f"//{host}").hostname, urlsplit(origin).netloc
        except ValueError:
            raise HubError(403, "The Host or Origin of this request is no address") from None
        if self.access.open and name not in self.hosts:
            raise HubError(403, "A Hub without tokens only answers to this machine")
        if origin and request.method not in ("GET", "HEAD") and page != host:
            raise HubError(403, "Requests of other web pages are refused")


async def _run(route: Route, call: Call) -> Response:
    route.check_query(call.request)
    if route.write:
        call.user = call.access.check_write(call.user)
    if route.body != "none":
        data = await read_body(call.request)
        kind = call.request.headers.get("content-type", "")
        call.body = parse_json(data) if route.body == "json" else parse_form(data, kind)
        route.check_body(call.body)
    if route.stream is not None:
        return await route.stream(call)
    assert route.handle is not None
    return await run_in_threadpool(route.handle, call)


def _nothing_at(verb: str) -> HubError:
    """Return the error for an unknown address; for some that clients use, it says what to do instead."""
    if verb == "api:discussions":
        return bad_request(NO_PULL_REQUESTS)
    if f"{verb}/".startswith("/api/settings/webhooks/"):
        return bad_request("The embedded Hub takes webhooks when it is started (--webhook), not from clients")
    return HubError(404, "The embedded Hub has nothing at this address")


def _request_id(scope: Scope) -> str:
    """Return the caller's own request id, by which it can find the request in a log; otherwise a new one."""
    sent = dict(scope["headers"])
    for header in (b"x-request-id", b"x-amzn-trace-id"):
        if _REQUEST_ID.fullmatch(sent.get(header, b"")):
            return str(sent[header].decode("ascii"))
    return str(uuid.uuid4())


def problem(error: Exception, request_id: str) -> Response:
    """Return the answer to a failed request: a redirect, or JSON with ``error``; never a traceback."""
    if isinstance(error, Moved):
        return Response(status_code=307, headers={"Location": error.location})
    if not isinstance(error, LocalHubError):
        log.error("The embedded Hub failed in the request %s", request_id, exc_info=error)
        return answer({"error": "Internal error of the embedded Hub; its log says more"}, 500)
    headers = {
        "X-Error-Message": error.message.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    }
    if isinstance(error, HubError) and error.header:
        headers["X-Error-Code"] = error.header
    body: dict[str, Any] = {"error": error.message}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(body, error.status, headers=headers)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
