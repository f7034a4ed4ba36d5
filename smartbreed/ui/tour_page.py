"""The public page that shows how corrections become the next answer. Layout and wiring."""

from __future__ import annotations

import gradio as gr

from smartbreed import circle
from smartbreed.hub.connection import chosen_hub
from smartbreed.services import Services
from smartbreed.ui import nav, tour_cards


class TourPage:
    """Must be made inside ``with blocks.route(…)``.

    Args:
        services: whose numbers it shows.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        gr.HTML(nav.header("tour", maintainers=services.maintainers.reachable))
        gr.HTML(tour_cards.intro())
        self.circle = gr.HTML(elem_id="circle")
        self.growth = gr.HTML(elem_id="growth")
        settings = services.settings
        hub = chosen_hub(settings)
        gr.HTML(tour_cards.take_part(settings.dataset, settings.model_repo, "" if hub.embedded else hub.name))

    def load(self, blocks: gr.Blocks) -> None:
        """Fill the page when somebody opens it."""
        shown = [self.circle, self.growth]
        blocks.load(self._fill, None, shown, show_progress="hidden", api_visibility="private")

    def _fill(self) -> tuple[str, str]:
        releases = circle.releases(self.services)
        now, waits = circle.serving(self.services), circle.waiting(self.services)
        drawn = tour_cards.circle(now, waits, releases, self.services.settings.dataset)
        return drawn, tour_cards.growth(releases)
