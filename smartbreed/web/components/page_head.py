"""Replaces the title, description and link preview that gradio writes into its pages."""

from __future__ import annotations

import re

from smartbreed.i18n import gettext, mark
from smartbreed.web.components import nav
from smartbreed.web.components.page_language import in_language
from smartbreed.web.components.plain import file_address
from smartbreed.web.components.templates import render

#: Title and description by key of `nav.PAGES`.
_SAID = {
    "identify": (
        mark("Which breed is it?"),
        mark(
            "Add a photo: every cat and dog in it is found, named and explained. You can correct the answer."
        ),
    ),
    "ask": (
        mark("Ask about breeds"),
        mark("Ask about dogs and cats: answers come from the breed pages, and cite them."),
    ),
    "tour": (
        mark("How it learns"),
        mark("How corrections by visitors become the next version, with figures of each."),
    ),
    "review": (mark("Review"), mark("Where maintainers decide what the model may learn from.")),
    "train": (
        mark("Retrain"),
        mark("Where maintainers retrain the model and choose the version in use."),
    ),
}
_ADDRESSES = {address: key for key, address, _ in nav.PAGES}
#: The preview tags in gradio's template, above the first script.
_GRADIOS = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>\s*')
_TITLE = re.compile(rb"<title>[^<]*</title>\s*")


def with_own_head(page: bytes, path: str, origin: str, introduction: tuple[str, str]) -> bytes:
    """Return a Gradio page with the app's own title, description and preview; any other page unchanged.

    Args:
        path: path of the page, without the proxy's prefix.
        origin: scheme and host as visitors see them.
        introduction: name and tagline of a model that introduces itself; empty if it does not.
    """
    above, script, below = page.partition(b"<script")
    key = _ADDRESSES.get(path.rstrip("/") or "/")
    if key not in _SAID or b'"og:title"' not in above:
        return page
    site = introduction[0] or "SmartBreed"
    title, about = map(gettext, _SAID[key])
    if key == "identify":
        about = introduction[1] or about
    icons = [f"{nav.root()}{file_address(f'icon-{size}.png')}" for size in (192, 512)]
    head = render(
        "page_head.html", title=f"{title} – {site}", about=about, site=site, icon=icons[0],
        url=f"{origin}{nav.root()}{path.strip('/')}", image=f"{origin}{icons[1]}",
    )  # fmt: skip
    above = _TITLE.sub(b"", _GRADIOS.sub(b"", above))
    return in_language(above + head.encode() + script + below)
