"""The OpenAPI description as a page, rendered here: the usual viewers come from a CDN and fail offline."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from smartbreed.web.components import nav, templates
from smartbreed.web.components.plain import page_style


def docs_page(api: dict[str, Any], base: str) -> str:
    """HTML in the look of the other pages, without scripts or anything else to load.

    Args:
        api: an OpenAPI 3 object.
        base: address of the server, put into the examples.
    """
    header = Markup(nav.header("docs", maintainers=False))
    return templates.render(
        "docs.html", api=api, base=base, header=header, footer=Markup(nav.footer()),
        style=Markup(page_style("docs.css")),
    )  # fmt: skip
