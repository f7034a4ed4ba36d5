"""The header of every page: who we are, and the way to the other pages."""

from __future__ import annotations

from smartbreed.web.components import html

#: Every page: key, address, and what its link says.
PAGES = (
    ("identify", "/", "Identify"),
    ("tour", "/tour", "How it learns"),
    ("review", "/review", "Review"),
    ("train", "/train", "Retrain"),
)
#: Pages that only maintainers can use.
MAINTAINERS = frozenset({"review", "train"})


def header(current: str, *, maintainers: bool, title: str = "", about: str = "") -> str:
    """The header with its links.

    Args:
        current: key of the page it stands on.
        maintainers: whether maintainers can get in at this address, as the page finds at its
            start; links that lead nowhere are left out.
        title, about: of a model that introduces itself; empty: ours.
    """
    links = "".join(
        f'<li><a href="{address}"{" aria-current=page" if key == current else ""}>{text}</a></li>'
        for key, address, text in PAGES
        if maintainers or key not in MAINTAINERS or key == current
    )
    nav = f'<nav class="sb-nav" aria-label="Pages"><ul>{links}</ul></nav>'
    return html.header(title, about).replace("</header>", f"{nav}</header>")
