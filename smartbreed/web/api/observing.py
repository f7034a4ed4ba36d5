"""The outermost middleware: gives each request an id, counts it by its route, logs it and traces it."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import nullcontext
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smartbreed.core.logs import FIELDS, request_id, request_ids, valid_request_id
from smartbreed.web.api.access import route_for
from smartbreed.web.api.client import calling_scope
from smartbreed.web.api.metrics import OTHER, method_name, request_begins, request_ends
from smartbreed.web.api.tracing import Tracing

log = logging.getLogger("smartbreed.access")

HEADER = "x-request-id"
_KEY = "smartbreed.request_id"
#: Routes that machines poll every few seconds; their requests are logged at DEBUG.
_OFTEN = ("/healthz", "/readyz", "/metrics", "/gradio_api/heartbeat/{session}")


class Observing:
    """Takes the id of a request from the header `HEADER`, or makes one, and sends it back.

    Args:
        app: the wrapped app.
        level: level of the log line of each request.
        tracing: makes a span for each request; None if tracing is off.
    """

    def __init__(self, app: ASGIApp, level: int, tracing: Tracing | None = None) -> None:
        self._app, self._level, self._tracing = app, level, tracing
        if _of_event not in request_ids:
            request_ids.append(_of_event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, route = Headers(scope=scope), route_for(scope["path"])
        method, path = method_name(scope["method"]), route.path if route else OTHER
        given = headers.get(HEADER, "")
        mark = given if valid_request_id(given) else secrets.token_hex(8)
        scope[_KEY] = mark
        status, started = 0, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = mark
            await send(message)

        token = request_id.set(mark)
        request_begins()
        traced: Any = self._tracing and self._tracing.request(scope, headers, method, path)
        try:
            with traced or nullcontext() as span:
                try:
                    await self._app(scope, receive, sending)
                finally:
                    if self._tracing:
                        self._tracing.answered(span, status, mark)
        finally:
            request_ends(method, path, status)
            level = logging.DEBUG if path in _OFTEN else self._level
            if log.isEnabledFor(level):
                took = round((time.perf_counter() - started) * 1000, 1)
                fields = {"method": method, "route": path, "status": status, "milliseconds": took}
                log.log(level, "%s %s %s in %s ms", *fields.values(), extra={FIELDS: fields})
            request_id.reset(token)


def _of_event() -> str:
    return str(calling_scope().get(_KEY, ""))
