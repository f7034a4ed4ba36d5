"""The header with the way between the pages; the one a visitor is on is marked."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote, urlencode

from smartbreed.i18n import LANGUAGES, gettext, language, mark, of_things
from smartbreed.web.address import root as root
from smartbreed.web.components.templates import html

#: Every page: key, address, and what its link says.
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
#: Pages at the foot of every page.
FOOT = (
    ("about", "/about", mark("About")),
    ("privacy", "/privacy", mark("Privacy")),
    ("terms", "/terms", mark("Terms")),
    ("contact", "/contact", mark("Contact")),
)
#: Pages about breeds of pets, which a model of other things has nothing to say on.
OF_PETS = frozenset({"ask", "quiz"})
#: Pages that only maintainers can use.
MAINTAINERS = frozenset({"review", "train"})


def breed(breed_id: str) -> str:
    """Address of a breed's page."""
    return f"{root()}breeds/{quote(breed_id, safe='')}"


def comparison(first: str, second: str) -> str:
    """Address of two breeds side by side."""
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
    """The header with its links.

    Args:
        current: key of the page it stands on.
        maintainers: whether maintainers can get in at this address, as the page finds at its
            start; links that lead nowhere are left out.
        title, about: of a model that introduces itself; empty: ours.
        account: who is signed in; empty: a script puts the name there, where there is one.
        off: features that are switched off, whose pages are left out; on gradio's pages a script does that.
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
    """The foot of every page, with the links to what holds for all of them and to its other languages.

    Args:
        here: address of the page, for its other languages; empty: it has none.
    """
    pages = [(key, root() + address[1:], gettext(text)) for key, address, text in FOOT if key not in off]
    return str(html.site_footer(pages, current, LANGUAGES, language(), here))
