"""The look of pages without gradio: its theme, our stylesheets, and dark where the browser prefers it.

Their files lie at ``/files/<name>``.
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
#: The query of a file says which content it is, so that it never changes under it.
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
#: A rule of a stylesheet for the class that a script of gradio's sets.
_DARK = re.compile(r"^\.dark ([^{}]*)(\{[^{}]*\})", re.MULTILINE)


@cache
def page_style(*more: str) -> str:
    """One stylesheet.

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
    """The stylesheets and scripts of these pages."""
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response("There is nothing here.", 404, media_type="text/plain")
    return Response(found[0], media_type=found[1], headers=_FOREVER)


def not_found(services: Services) -> Response:
    """The page of an address that is not here; it runs nothing."""
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
    """What an installed app is called and looks like, in place of gradio's."""
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
    """The script that stands beside the pages; a browser asks for it anew each time."""
    script = (STATIC / "sw.js").read_bytes()
    # A worker's policy is that of its script.
    policy = {
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
        "Cache-Control": "no-cache",
    }
    return Response(script, media_type="text/javascript", headers=policy)


@cache
def file_address(name: str) -> str:
    """Address of a file, below the root, that changes with its content."""
    return f"files/{name}?v={hashlib.sha256(_files()[name][0]).hexdigest()[:12]}"
