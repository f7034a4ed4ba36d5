"""All middleware of the server, in order: around gradio, and inside it."""

from __future__ import annotations

import logging
from functools import partial

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import Scope

from smartbreed.accounts.origin import public_origin
from smartbreed.services import Services
from smartbreed.web.api.body_limit import BodyLimit
from smartbreed.web.api.language import LanguageMiddleware
from smartbreed.web.api.observing import Observing
from smartbreed.web.api.own_site import OwnSiteMiddleware
from smartbreed.web.api.problems import Problems
from smartbreed.web.api.security_headers import PagePolicyMiddleware, SecurityHeadersMiddleware
from smartbreed.web.api.tracing import Tracing
from smartbreed.web.components.page_head import with_own_head
from smartbreed.web.components.plain import not_found


def build_middleware(services: Services, tracing: Tracing | None = None) -> list[Middleware]:
    """Return the middleware around gradio, outermost first. It is pure ASGI, because gradio streams."""
    settings = services.settings
    return [
        # A log in text is for people, who see a line per request only at level DEBUG.
        Middleware(Observing, logging.INFO if settings.log_format == "json" else logging.DEBUG, tracing),
        Middleware(LanguageMiddleware, settings, lambda: services.of_things),
        Middleware(SecurityHeadersMiddleware, settings),
        Middleware(Problems),
        Middleware(OwnSiteMiddleware, settings, partial(not_found, services)),
        Middleware(BodyLimit, max_bytes=settings.max_bytes),
    ]


def inner_middleware(services: Services, script: str) -> list[Middleware]:
    """Return the middleware that sees answers before gradio compresses them, outermost first.

    Args:
        services: of the app.
        script: inline script that every page contains.
    """
    public = public_origin(services.settings.public_url)

    def head(page: bytes, scope: Scope) -> bytes:
        origin = public or str(Request(scope).base_url).rstrip("/")
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return with_own_head(page, path, origin, services.introduction)

    return [Middleware(PagePolicyMiddleware, services.settings, head, [script])]


def hide_version(blocks: gr.Blocks) -> None:
    """Hide gradio's exact version in the pages of a launched app; only the major version is shown."""
    blocks.config["version"] = str(blocks.config["version"]).partition(".")[0] + ".0.0"
