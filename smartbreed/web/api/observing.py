"""The outermost middleware: counts each request by the template of its route."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smartbreed.web.api.access import route_for
from smartbreed.web.api.metrics import request_begins, request_ends


class Observing:
    """Counts requests.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        request_begins()
        try:
            await self._app(scope, receive, sending)
        finally:
            route = route_for(scope["path"])
            request_ends(scope["method"], route.path if route else "", status)
