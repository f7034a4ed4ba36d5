"""The OpenAPI description as a page, rendered here: the usual viewers come from a CDN and fail offline."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from smartbreed.web.components import nav, templates
from smartbreed.web.theme import SmartBreedTheme

_STATIC = Path(__file__).parents[1] / "static"


def docs_page(api: dict[str, Any], base: str) -> str:
    """HTML in the look of the other pages, without scripts or anything else to load.

    Args:
        api: an OpenAPI 3 object.
        base: address of the server, put into the examples.
    """
    header = Markup(nav.header("docs", maintainers=False))
    return templates.render("docs.html", api=api, base=base, header=header, style=Markup(page_style()))


@cache
def page_style(*more: str) -> str:
    """The look of a page without gradio, light and dark as the browser wants it.

    Args:
        more: names of further stylesheets.
    """
    theme = "\n".join(line for line in SmartBreedTheme()._get_theme_css().splitlines() if "url(" not in line)
    light, _, dark = theme.partition(":root.dark, :root .dark")  # a script of gradio's sets that class
    own = [(_STATIC / name).read_text(encoding="utf-8") for name in ("style.css", "docs.css", *more)]
    return "\n".join([light, f"@media (prefers-color-scheme: dark) {{ :root {dark} }}", *own])
