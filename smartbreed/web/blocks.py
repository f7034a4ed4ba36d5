"""The web page as gr.Blocks, and how it wants to be launched."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from smartbreed.accounts.providers import on_space
from smartbreed.core.settings import Settings
from smartbreed.i18n import LANGUAGES, about_things, gettext, speaking
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.components.page_language import each_language
from smartbreed.web.pages.ask.page import AskPage
from smartbreed.web.pages.identify import examples
from smartbreed.web.pages.identify.page import IdentifyPage
from smartbreed.web.pages.review.page import ReviewPage
from smartbreed.web.pages.tour.page import TourPage
from smartbreed.web.pages.train.page import TrainPage
from smartbreed.web.theme import SmartBreedTheme

_STATIC = Path(__file__).parent / "static"
#: Temporary files are looked through this often and deleted at this age, in seconds.
_CACHE = (300, 3600)
#: Most events that wait in gradio's queue, whose arguments lie in memory.
_MOST_WAITING = 100
#: Gradio looks so often whether an event waits, and whether one has got on, in seconds. By itself it looks a
#: thousand and a hundred times a second, which keeps an idle app busy with a twentieth of a core.
_LOOKS_S, _LOOKS_ON_S = 0.005, 0.05
#: What makes each page of `nav.PAGES` that is gradio's, but the first.
_PAGES: dict[str, Callable[[Services], Any]] = {
    "ask": AskPage,
    "tour": TourPage,
    "review": ReviewPage,
    "train": TrainPage,
}
#: Of all pages, then of each: its rules all begin with its class, ``sb-page-…``.
STYLESHEETS = [path for key in ("style", "identify", *_PAGES) if (path := _STATIC / f"{key}.css").is_file()]


def build_app(services: Services) -> gr.Blocks:
    """The page, ready to get API endpoints added and to be launched with `launch_options`."""
    # It makes gradio add its sign-in with Hugging Face, to which the page to sign in links. Only on a Space:
    # elsewhere gradio would add its mock, which signs anyone in. Made outside of the page, so without events.
    space_button = gr.LoginButton(visible=False, render=False) if on_space() else None
    with (
        about_things(services.of_things),
        gr.Blocks(
            title=services.introduction[0] or "SmartBreed", analytics_enabled=False, delete_cache=_CACHE
        ) as app,
    ):
        with _page("identify"):
            page = IdentifyPage(services)
            gr.HTML(each_language(partial(nav.footer, here=nav.root())))
        app.load(page.show_now, None, page.footer, show_progress="hidden", api_visibility="private")
        if services.settings.gallery:
            found = [page.examples_box, page.examples_heading, page.gallery]
            app.load(page.load_examples, None, found, show_progress="hidden", api_visibility="private")
    for key, address, title in (page for page in nav.PAGES if page[0] in _PAGES):
        with about_things(services.of_things), app.route(title, address, show_in_navbar=False), _page(key):
            _PAGES[key](services).load(app)
            gr.HTML(each_language(partial(nav.footer, here=nav.root() + address[1:])))
    if space_button is not None:
        with app:
            space_button.render()
    app.queue(max_size=_MOST_WAITING)
    app._queue.sleep_when_free, app._queue.progress_update_sleep_when_free = _LOOKS_S, _LOOKS_ON_S
    app.current_page = ""  # what is added later belongs to the front page again
    return app


def _page(name: str) -> gr.Column:
    """What holds a page, with the class that its stylesheet's rules begin with."""
    return gr.Column(elem_classes=["sb-page", f"sb-page-{name}"])


def launch_options(settings: Settings) -> dict[str, Any]:
    """What ``Blocks.launch`` needs for the page; since gradio 6 that is where its look is given."""
    return {
        "theme": SmartBreedTheme(),
        "css_paths": STYLESHEETS,
        "head": f"<style>{(_STATIC / 'head.css').read_text()}</style><script>{page_script()}</script>",
        "favicon_path": str(_STATIC / "logo.svg"),
        "i18n": gr.I18n(**{code: _upload_texts(code) for code in LANGUAGES}),
        "footer_links": ["api"],
        "run_history": False,  # photos of visitors are not kept in their browser's storage
        "ssr_mode": False,  # needs node, and gains a page this small nothing
        "allowed_paths": examples.folders(settings),
        "max_file_size": settings.max_bytes,  # of an upload, before our own check sees it
        "show_error": False,
    }


def _upload_texts(code: str) -> dict[str, str]:
    """What gradio's own box for photos says, in place of its words."""
    with speaking(code):
        return {
            "upload_text.drop_gallery": gettext("Drop photos here"),
            "upload_text.click_to_upload": gettext("Choose photos"),
            "errors.use_via_api_or_mcp": gettext("Use via API or MCP"),
        }


def page_script() -> str:
    """The script of every page."""
    names = (
        "say.js",
        "box.js",
        "page.js",
        "identify.js",
        "keep.js",
        "history.js",
        "first_visit.js",
        "breed_list.js",
        "loop.js",
        "review.js",
        "maintainer.js",
        "account.js",
    )
    pages = json.dumps(sorted(nav.MAINTAINERS))
    return f"window.smartbreedMaintainers = {pages};" + "".join(
        (_STATIC / name).read_text(encoding="utf-8") for name in names
    )
