"""``/offline/``: the page that runs the model in the browser, and its files."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from smartbreed.core.errors import SmartBreedError
from smartbreed.i18n import gettext
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.pages.account.visit import Visit, dependencies, form_app
from smartbreed.web.pages.offline import site
from smartbreed.web.pages.offline.runtime import is_there

_TYPES = {
    ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".wasm": "application/wasm",
}  # fmt: skip
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_FRESH = {"Cache-Control": "no-cache"}
#: A worker's content security policy is that of its script.
_WORKER = {**_FRESH, "Content-Security-Policy": "default-src 'none'; connect-src 'self'"}


def offline_app(services: Services) -> FastAPI:
    """Return the app that serves the page and its files."""

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        return visit.message(
            gettext("That did not work"), said.message, said.status, key="offline", path="offline/"
        )

    app = form_app(services, refused)
    asked, _ = dependencies(services)

    @app.get("/offline")
    def moved() -> Response:
        # The slash matters: the addresses of the files are relative, so that the page works in any folder.
        return RedirectResponse(f"{nav.root()}offline/", 308)

    @app.get("/offline/")
    def index(visit: Visit = asked) -> Response:
        why = why_not_offline(services)
        values = {} if why else site.values(services.identifier.bundle)
        return visit.plain(
            "offline/page.html", 404 if why else 200, key="offline", style="info", path="offline/", why=why,
            **{"title": gettext(site.TITLE), "about": gettext(site.ABOUT), **values},
        )  # fmt: skip

    @app.get("/offline/{name:path}")
    def file(name: str, v: str = "") -> Response:
        bundle = services.identifier.bundle  # keep this one: another model may replace it meanwhile
        found = None if why_not_offline(services) else site.file_of(bundle, name)
        version = site.version_of(bundle, name)
        # The network of another model does not fit to the labels that the browser already has.
        if found is None or (version and v and v != version):
            return Response("There is nothing here.", 404, {"Cache-Control": "no-store"}, "text/plain")
        headers = _WORKER if name == site.WORKER else _FOREVER if version and v else _FRESH
        kind = _TYPES.get(Path(name).suffix, "application/octet-stream")
        if isinstance(found, Path):
            return FileResponse(found, headers=headers, media_type=kind)
        return Response(found, headers=headers, media_type=kind)

    return app


def why_not_offline(services: Services) -> str:
    """Say why the page is not available here; empty if it is."""
    if services.settings.model and not services.settings.offline:
        return gettext("The model in use here cannot be downloaded by browsers.")
    if not is_there():
        return gettext(
            "This page is not set up here; the people who run the site can do it with “make offline”."
        )
    return ""
