"""The public page that shows how the model learns from corrections. Layout and wiring."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from smartbreed import feedback_loop
from smartbreed.hub.connection import chosen_hub
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.components.page_language import each_language
from smartbreed.web.pages.tour import cards
from smartbreed.web.pages.tour.history import Walker


class TourPage:
    """The tour page; create it inside ``with blocks.route(…)``.

    Args:
        services: provides the numbers and pictures.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.walker = Walker(services)
        gr.HTML(each_language(partial(nav.header, "tour", maintainers=services.maintainers.reachable)))
        gr.HTML(each_language(cards.MACROS.intro))
        self.loop = gr.HTML(elem_id="loop")
        self.story = gr.HTML(each_language(cards.MACROS.waiting), elem_id="story")
        self.pairs = gr.HTML(elem_id="then-and-now")
        self.growth = gr.HTML(elem_id="growth")
        settings = services.settings
        hub = chosen_hub(settings)
        public = "" if hub.embedded else hub.name
        gr.HTML(each_language(partial(cards.MACROS.take_part, settings.dataset, settings.model_repo, public)))

    def load(self, blocks: gr.Blocks) -> None:
        """Fill the page when it is opened; the pictures follow once the model has identified them again."""
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        blocks.load(self._fill, None, [self.loop, self.growth], **quiet)
        blocks.load(self._show, None, [self.story, self.pairs], **quiet)

    def _fill(self) -> tuple[str, str]:
        releases = feedback_loop.releases(self.services)
        now, waits = feedback_loop.serving(self.services), feedback_loop.waiting(self.services)
        drawn = cards.loop(
            now, waits, releases, self.services.settings.dataset, maintainers=self._maintainers
        )
        return drawn, cards.growth(releases)

    def _show(self) -> tuple[str, str]:
        walk = self.walker.walk()
        return cards.story(walk, maintainers=self._maintainers), cards.then_and_now(walk)

    @property
    def _maintainers(self) -> bool:
        return self.services.maintainers.reachable
