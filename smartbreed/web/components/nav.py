"""The header and footer with the links between pages; the current page is marked."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote, urlencode

from smartbreed.i18n import LANGUAGES, gettext, language, mark, of_things
from smartbreed.web.address import root as root
from smartbreed.web.components.templates import html

#: Pages linked in the header: key, path, and the link's text.
PAGES = (
    ("identify", "/", mark("Identify")),
    ("breeds", "/breeds", mark("Breeds")),
    ("ask", "/ask", mark("Ask")),
    ("quiz", "/quiz", mark("Quiz")),
    ("teach", "/teach", mark("Teach")),
    ("tour", "/tour", mark("How it learns")),
    ("statistics", "/statistics", mark("Statistics")),
    ("review", "/review", mark("Review")),
    ("train", "/train", mark("Retrain")),
)
#: Pages linked in the footer: key, path, and the link's text.
FOOT = (
    ("about", "/about", mark("About")),
    ("privacy", "/privacy", mark("Privacy")),
    ("terms", "/terms", mark("Terms")),
    ("contact", "/contact", mark("Contact")),
)
#: Pages about cats and dogs; they are left out when the model names other things.
OF_PETS = frozenset({"ask", "quiz"})
#: Pages that only maintainers can use.
MAINTAINERS = frozenset({"review", "train"})


def breed(breed_id: str) -> str:
    """Return the path of a breed's page."""
    return f"{root()}breeds/{quote(breed_id, safe='')}"


def comparison(first: str, second: str) -> str:
    """Return the path of the page that compares two breeds."""
    return f"{root()}breeds/compare?{urlencode({'a': first, 'b': second})}"


def header(
    current: str,
    *,
    maintainers: bool,
    title: str = "",
    about: str = "",
    account: str = "",
    off: Collection[str] = (),
) -> str:
    """Return the HTML of the header.

    Args:
        current: key of the current page.
        maintainers: whether maintainers can sign in at this address when the page is built; if not,
            the links to their pages are left out.
        title, about: name and tagline of a model that introduces itself; empty for the app's own.
        account: name of the signed-in member; if empty, a script adds it when a member is signed in.
        off: switched-off features, whose pages are left out; on gradio's pages a script hides them.
    """
    pages = [
        (key, root() + address[1:], gettext(text))
        for key, address, text in PAGES
        if (maintainers or key not in MAINTAINERS or key == current)
        and key not in off
        and not (of_things() and key in OF_PETS)
    ]
    return str(html.header(pages, current, title, about, account, root()))


def footer(current: str = "", off: Collection[str] = (), here: str = "") -> str:
    """Return the HTML of the footer, with links to the pages of `FOOT` and to the page's other languages.

    Args:
        current: key of the current page.
        off: switched-off features, whose pages are left out.
        here: path of the page, for the language links; empty to leave them out.
    """
    pages = [(key, root() + address[1:], gettext(text)) for key, address, text in FOOT if key not in off]
    return str(html.site_footer(pages, current, LANGUAGES, language(), here))
