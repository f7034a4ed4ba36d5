"""The publisher of an installation, from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartbreed.dataset.decision_source import DecisionSource
from smartbreed.dataset.flag_source import FlagSource
from smartbreed.dataset.maintenance import maintenance_tasks
from smartbreed.dataset.publisher import Publisher
from smartbreed.feedback.flags import FlagService

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings


def open_publisher(settings: Settings, flags: FlagService) -> Publisher:
    """The publisher of an installation; nothing is imported or sent before its first run.

    Args:
        flags: the opened outbox, whose database it shares.
    """
    from smartbreed.hub.connection import chosen_hub, connect

    return Publisher(
        flags.sessions,
        settings.home_dir / "shards",
        lambda: connect(settings),
        hub=chosen_hub(settings).name,
        repo=settings.dataset,
        sources=[
            FlagSource(flags.blobs, settings.publishing, settings.daily_flags),
            DecisionSource(settings.publishing),
        ],
        maintenance=maintenance_tasks(settings, flags),
    )
