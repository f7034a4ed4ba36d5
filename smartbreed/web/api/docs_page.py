"""The OpenAPI description as a page. It is rendered here because the usual viewers need a CDN."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from smartbreed.web.components import nav, templates
from smartbreed.web.components.plain import file_address, page_style

_ABOUT = (
    "How programs ask: every address with its fields, answers and examples, from one photo to a batch, "
    "corrections and versions."
)


def docs_page(api: dict[str, Any], base: str) -> str:
    """Return the page as HTML, in the look of the other pages, without scripts or anything else to load.

    Args:
        api: an OpenAPI 3 document.
        base: address of the server, inserted into the examples.
    """
    header = Markup(nav.header("docs", maintainers=False))
    return templates.render(
        "docs.html", api=api, base=base, header=header, footer=Markup(nav.footer()),
        style=Markup(page_style("docs.css")), title=api["info"]["title"], about=_ABOUT, site="SmartBreed",
        url=f"{base}/api/docs", image=f"{base}/{file_address('icon-512.png')}",
    )  # fmt: skip
