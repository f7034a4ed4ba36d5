"""All middleware of the server, in order: what stands around gradio, and what stands inside of it."""

from __future__ import annotations

import gradio as gr
from starlette.middleware import Middleware

from smartbreed.services import Services
from smartbreed.web.api.body_limit import BodyLimit
from smartbreed.web.api.own_site import OwnSiteMiddleware
from smartbreed.web.api.problems import Problems
from smartbreed.web.api.security_headers import PagePolicyMiddleware, SecurityHeadersMiddleware


def build_middleware(services: Services) -> list[Middleware]:
    """What every request passes before it reaches gradio, outermost first. Pure ASGI only: gradio streams."""
    settings = services.settings
    return [
        Middleware(SecurityHeadersMiddleware, settings),
        Middleware(Problems),
        Middleware(OwnSiteMiddleware, settings),
        Middleware(BodyLimit, max_bytes=settings.max_bytes),
    ]


def inner_middleware(services: Services, script: str) -> list[Middleware]:
    """What sees answers before gradio compresses them, the outermost first; `script` is every page's own."""
    return [Middleware(PagePolicyMiddleware, services.settings, [script])]


def hide_version(blocks: gr.Blocks) -> None:
    """Leave gradio's exact version out of the pages of a launched app."""
    blocks.config["version"] = str(blocks.config["version"]).partition(".")[0] + ".0.0"
