"""The look of pages without gradio: its theme, our stylesheets, and dark where the browser prefers it.

Their files lie at ``/files/<name>``.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

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
    scripts = ("breeds.js", "quiz.js", "teach.js")
    return {
        **{name: (page_style(name).encode(), "text/css") for name in styles},
        **{name: ((STATIC / name).read_bytes(), "text/javascript") for name in scripts},
    }


def files(request: Request) -> Response:
    """The stylesheets and scripts of these pages."""
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response("There is nothing here.", 404, media_type="text/plain")
    return Response(found[0], media_type=found[1], headers=_FOREVER)


@cache
def file_address(name: str) -> str:
    """Address of a file, below the root, that changes with its content."""
    return f"files/{name}?v={hashlib.sha256(_files()[name][0]).hexdigest()[:12]}"
