"""Answers requests for unavailable pages with a sentence and status 404.

A page is unavailable if an admin switched its feature off, which needs no restart, or if it is about pets and
the current model is not.
"""

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
from smartbreed.web.components import nav
from smartbreed.web.pages.account.visit import Visit, visit_of


class SwitchedOff:
    """ASGI middleware that answers 404 for features that are off or do not fit the model.

    Args:
        app: handles all other requests.
        services: provides the switches and the model.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        feature = feature_of(scope["path"]) if scope["type"] == "http" else ""
        why = await run_in_threadpool(self._why_not, feature) if feature else None
        if why:
            answer = await run_in_threadpool(self._closed, Request(scope, receive), *why)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _why_not(self, feature: str) -> tuple[str, str] | None:
        """Return title and sentence of the page shown instead; None if the feature is available."""
        if not self._services.switches.is_on(feature):
            return gettext("Switched off"), FEATURES[feature].closed
        if feature in nav.OF_PETS and self._services.of_things:
            return gettext("Not for this model"), gettext(
                "This page is about cats and dogs, and the model in use names other things."
            )
        return None

    def _closed(self, request: Request, title: str, said: str) -> Response:
        try:
            visit = visit_of(self._services, request)
        except SmartBreedError:
            visit = Visit(self._services, request, None, "")
        return visit.message(title, said, 404)
