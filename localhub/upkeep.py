"""The daily upkeep of an embedded Hub, whether the app or ``smartbreed hub serve`` runs it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from localhub.maintenance import check_store, collect_garbage
from localhub.store import HubStore
from smartbreed.core.maintenance import Daily

log = logging.getLogger(__name__)
#: Most problems that are kept for people to read.
_MOST = 20


def hub_upkeep(root: Path) -> Daily:
    """Garbage collection and a look for what is missing, once a day; nothing where no Hub is yet.

    Contents are not read: ``smartbreed hub check --contents`` does that.

    Args:
        root: folder of the store.
    """

    def work(memory: dict[str, Any]) -> list[str]:
        if not (root / "hub.db").exists():
            return []
        store = HubStore(root)
        try:
            gone = collect_garbage(store)
            if any(gone):
                log.info("the embedded Hub let %d commits and %d files go (%d bytes)", *gone)
            return [f"The embedded Hub: {problem}." for problem in check_store(store)[:_MOST]]
        finally:
            store.close()

    return Daily(root, work)
