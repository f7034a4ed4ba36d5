"""The header with the way between the pages; the one a visitor is on is marked."""

from __future__ import annotations

from smartbreed.web.components.templates import html

#: Every page: key, address, and what its link says.
PAGES = (
    ("identify", "/", "Identify"),
    ("tour", "/tour", "How it learns"),
    ("review", "/review", "Review"),
    ("train", "/train", "Retrain"),
)
#: Pages that only maintainers can use.
MAINTAINERS = frozenset({"review", "train"})


def header(current: str, *, maintainers: bool, title: str = "", about: str = "", account: str = "") -> str:
    """The header with its links.

    Args:
        current: key of the page it stands on.
        maintainers: whether maintainers can get in at this address, as the page finds at its
            start; links that lead nowhere are left out.
        title, about: of a model that introduces itself; empty: ours.
        account: who is signed in; empty: a script puts the name there, where there is one.
    """
    pages = [page for page in PAGES if maintainers or page[0] not in MAINTAINERS or page[0] == current]
    return str(html.header(pages, current, title, about, account))
