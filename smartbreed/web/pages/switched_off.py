"""Pages of features that an admin has switched off: a sentence instead, at once and without a restart."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from smartbreed.admin.switches import FEATURES
from smartbreed.core.errors import SmartBreedError
from smartbreed.i18n import gettext
from smartbreed.services import Services
from smartbreed.web.api.access import feature_of
from smartbreed.web.pages.account.visit import Visit, visit_of


class SwitchedOff:
    """Answers 404 for the addresses of a feature that is off.

    Args:
        app: what answers the rest.
        services: whose switches.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        feature = feature_of(scope["path"]) if scope["type"] == "http" else ""
        if feature and not await run_in_threadpool(self._services.switches.is_on, feature):
            answer = await run_in_threadpool(self._closed, Request(scope, receive), feature)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _closed(self, request: Request, feature: str) -> Response:
        try:
            visit = visit_of(self._services, request)
        except SmartBreedError:
            visit = Visit(self._services, request, None, "")
        return visit.message(gettext("Switched off"), FEATURES[feature].closed, 404)
