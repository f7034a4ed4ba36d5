"""Builds the Gradio pages as one `gr.Blocks` app, and returns the options to launch it with."""

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
#: How often gradio checks its temporary files, and the age at which it deletes them, in seconds. It deletes
#: them when it stops; until then `UploadFolder.sweep` does. gradio's check would end for good if another
#: thread registered a file meanwhile.
_CACHE = (10**9, 3600)
#: Maximum number of events that wait in gradio's queue; their arguments are held in memory.
_MOST_WAITING = 100
#: How often gradio polls for a waiting event, and for the progress of a running one, in seconds. With its
#: defaults, 1000 and 100 times a second, an idle app uses a twentieth of a core.
_LOOKS_S, _LOOKS_ON_S = 0.005, 0.05
#: Classes of the Gradio pages among `nav.PAGES`, except the front page, by key.
_PAGES: dict[str, Callable[[Services], Any]] = {
    "ask": AskPage,
    "tour": TourPage,
    "review": ReviewPage,
    "train": TrainPage,
}
#: The shared stylesheet, then one per page; all rules of a page begin with its class, ``sb-page-…``.
STYLESHEETS = [path for key in ("style", "identify", *_PAGES) if (path := _STATIC / f"{key}.css").is_file()]


def build_app(services: Services) -> gr.Blocks:
    """Build the Gradio pages; next add the API endpoints and launch with `launch_options`."""
    # The button makes gradio add its sign-in with Hugging Face, to which the sign-in page links. Only on a
    # Space: elsewhere gradio adds a mock that signs anyone in. Created outside the app, it gets no events.
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
        app.load(page.show_now, None, page.current, show_progress="hidden", api_visibility="private")
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
    app.current_page = ""  # components added later belong to the front page again
    return app


def _page(name: str) -> gr.Column:
    """Return the column that holds a page, with the CSS class used by the page's stylesheet."""
    return gr.Column(elem_classes=["sb-page", f"sb-page-{name}"])


def launch_options(settings: Settings) -> dict[str, Any]:
    """Return the arguments of ``Blocks.launch``; since gradio 6 they include theme and stylesheets."""
    return {
        "theme": SmartBreedTheme(),
        "css_paths": STYLESHEETS,
        "head": f"<style>{(_STATIC / 'head.css').read_text()}</style><script>{page_script()}</script>",
        "favicon_path": str(_STATIC / "logo.svg"),
        "i18n": gr.I18n(**{code: _upload_texts(code) for code in LANGUAGES}),
        "footer_links": ["api"],
        "run_history": False,  # visitors' photos must not be kept in the browser's storage
        "ssr_mode": False,  # needs Node.js, and a page this small gains nothing
        "allowed_paths": examples.folders(settings),
        "max_file_size": settings.max_bytes,  # of an upload, enforced before the app's own check
        "show_error": False,
    }


def _upload_texts(code: str) -> dict[str, str]:
    """Return the texts that replace gradio's own, in one language."""
    with speaking(code):
        return {
            "upload_text.drop_gallery": gettext("Drop photos here"),
            "upload_text.click_to_upload": gettext("Choose photos"),
            "errors.use_via_api_or_mcp": gettext("Use via API or MCP"),
        }


def page_script() -> str:
    """Return the script that every Gradio page loads."""
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
