"""Stylesheets, files and small responses of the pages that do not use gradio.

They share gradio's theme and use dark mode if the browser prefers it. Files are served at ``/files/<name>``.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from smartbreed.i18n import gettext
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.components.templates import render
from smartbreed.web.theme import SmartBreedTheme

STATIC = Path(__file__).parents[1] / "static"
#: A file's URL contains a hash of its content, so a browser may cache it forever. But only with that hash:
#: during an update a page of the new version may ask a replica of the old one, which has other content.
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_FRESH = {"Cache-Control": "no-cache"}
#: Matches a rule for dark mode; on Gradio pages a script sets its class, ``.dark``.
_DARK = re.compile(r"^\.dark ([^{}]*)(\{[^{}]*\})", re.MULTILINE)


@cache
def page_style(*more: str) -> str:
    """Return the theme, the shared stylesheets and ``more`` as one stylesheet.

    Args:
        more: names of further stylesheets in ``static``.
    """
    theme = "\n".join(line for line in SmartBreedTheme()._get_theme_css().splitlines() if "url(" not in line)
    light, _, dark = theme.partition(":root.dark, :root .dark")
    own = [(STATIC / name).read_text(encoding="utf-8") for name in ("style.css", "plain.css", *more)]
    text = "\n".join([light, f"@media (prefers-color-scheme: dark) {{ :root {dark} }}", *own])
    return _DARK.sub(r"@media (prefers-color-scheme: dark) { \1\2 }", text)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    styles = ("admin.css", "breeds.css", "info.css", "quiz.css", "statistics.css", "teach.css")
    scripts = ("breeds.js", "forms.js", "quiz.js", "teach.js")
    return {
        **{name: (page_style(name).encode(), "text/css") for name in styles},
        **{name: ((STATIC / name).read_bytes(), "text/javascript") for name in scripts},
        **{name: ((STATIC / name).read_bytes(), "image/png") for name in ("icon-192.png", "icon-512.png")},
    }


def files(request: Request) -> Response:
    """Return a stylesheet, script or icon of these pages."""
    name = request.path_params["name"]
    found = _files().get(name)
    if found is None:
        return Response("There is nothing here.", 404, {"Cache-Control": "no-store"}, "text/plain")
    headers = _FOREVER if request.query_params.get("v") == _hash(name) else _FRESH
    return Response(found[0], media_type=found[1], headers=headers)


def not_found(services: Services) -> Response:
    """Return the page for an unknown address; it runs no script."""
    title = gettext("There is nothing here")
    text = render(
        "not_found.html", key="info", title=title, about=title, status=404, url="",
        site=services.introduction[0] or "SmartBreed", root=nav.root(), file=file_address,
        header=Markup(nav.header("", maintainers=services.maintainers.reachable)),
        footer=Markup(nav.footer()),
    )  # fmt: skip
    policy = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'"
    return HTMLResponse(text, 404, {"Content-Security-Policy": policy})


def manifest(services: Services, request: Request) -> Response:
    """Return the web app manifest (name and icons of the installed app), in place of gradio's."""
    site = services.introduction[0] or "SmartBreed"
    icons = [
        {"src": nav.root() + file_address(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png",
         "purpose": purpose}
        for size in (192, 512)
        for purpose in ("any", "maskable")
    ]  # fmt: skip
    about = {
        "name": site, "short_name": site[:12], "id": nav.root(), "start_url": nav.root(), "scope": nav.root(),
        "display": "standalone", "background_color": "#faf5ee", "theme_color": "#a8481f", "icons": icons,
    }  # fmt: skip
    return JSONResponse(about, media_type="application/manifest+json")


def service_worker(request: Request) -> Response:
    """Return the service worker's script, which a browser must revalidate each time."""
    script = (STATIC / "sw.js").read_bytes()
    # A worker's content security policy is that of its script.
    policy = {
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
        "Cache-Control": "no-cache",
    }
    return Response(script, media_type="text/javascript", headers=policy)


def file_address(name: str) -> str:
    """Return a file's address below the root; it changes with the content."""
    return f"files/{name}?v={_hash(name)}"


@cache
def _hash(name: str) -> str:
    return hashlib.sha256(_files()[name][0]).hexdigest()[:12]
