"""Readiness checks of the parts that answering and learning need: database, model and Hub."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from smartbreed.core.errors import HubCallError, SmartBreedError
from smartbreed.hub.client import repo_state
from smartbreed.hub.connection import connect

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings
    from smartbreed.services import Services

#: Parts that `Readiness` checks.
PARTS = ("database", "model", "hub")
#: Seconds for which a result is cached.
FRESH_S = 5.0


def check_hub(settings: Settings) -> None:
    """Check that the Hub of the settings answers a request for the model repo, which need not exist yet.

    Raises:
        SmartBreedError: the Hub cannot be reached, has an internal error, or refuses the token.
    """
    try:
        repo_state(connect(settings), settings.model_repo, "model")
    except HubCallError as error:
        if error.kind not in ("no_repo", "no_entry"):
            raise


class Readiness:
    """Checks the parts of a running app. Thread-safe.

    Args:
        services: of the app.
    """

    def __init__(self, services: Services) -> None:
        self._parts: dict[str, Callable[[], object]] = {
            "database": lambda: services.flags.count("pending"),
            "model": lambda: services.identifier,
            "hub": lambda: check_hub(services.settings),
        }
        self._looking = threading.Lock()
        self._known: dict[str, str] = {}
        self._at = -float("inf")

    def missing(self) -> dict[str, str]:
        """Return why parts are not ready, by part; empty if all are. Never raises a `SmartBreedError`.

        The result is cached for `FRESH_S`.
        """
        # If the Hub hangs, only one caller waits; the others get the previous result.
        if time.monotonic() - self._at >= FRESH_S and self._looking.acquire(blocking=self._at < 0):
            try:
                if time.monotonic() - self._at >= FRESH_S:
                    self._known = dict(self._look())
                    self._at = time.monotonic()
            finally:
                self._looking.release()
        return self._known

    def _look(self) -> list[tuple[str, str]]:
        found = []
        for name, look in self._parts.items():
            try:
                look()
            except SmartBreedError as error:
                found.append((name, error.message))
        return found
