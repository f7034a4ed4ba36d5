"""Pages that have nothing to say, answered with a sentence, at once and without a restart.

Their feature is switched off by an admin, or they are about pets and the model that answers is not.
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
    """Answers 404 for the addresses of a feature that is off, or that this model has nothing to say on.

    Args:
        app: what answers the rest.
        services: whose switches.
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
        """Title and sentence of the page in place of one that is not there."""
        if not self._services.switches.is_on(feature):
            return gettext("Switched off"), FEATURES[feature].closed
        if feature in nav.OF_PETS and self._services.of_things:
            return gettext("Not for this model"), gettext(
                "This page is about cats and dogs, and the model that answers here names other things."
            )
        return None

    def _closed(self, request: Request, title: str, said: str) -> Response:
        try:
            visit = visit_of(self._services, request)
        except SmartBreedError:
            visit = Visit(self._services, request, None, "")
        return visit.message(title, said, 404)
