"""What the app does once a day beside publishing: photos nobody needs, and the embedded Hub."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartbreed.core.database import forget_deleted
from smartbreed.core.maintenance import DAY_S, Maintenance
from smartbreed.core.scratch import sweep
from smartbreed.feedback.flags import FlagService
from smartbreed.feedback.outbox import collect_orphans

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings

log = logging.getLogger(__name__)


def maintenance_tasks(settings: Settings, flags: FlagService) -> list[Maintenance]:
    """The daily jobs of an installation; nothing is opened before their first run.

    Args:
        flags: the opened outbox.
    """
    from smartbreed.hub.connection import chosen_hub
    from smartbreed.hub.embedded import hub_maintenance

    jobs = [Maintenance(settings.home_dir / "upkeep", photo_maintenance(settings, flags))]
    if chosen_hub(settings).embedded:
        jobs.append(hub_maintenance(settings.home_dir / "hub"))
    return jobs


def photo_maintenance(settings: Settings, flags: FlagService) -> Any:
    """Photos of withdrawn flags and photos a crash has left without one, as the work of a `Maintenance`.

    A photo the database does not know is only deleted when it was written since this database is
    the one in use: those before may belong to another, which somebody may go back to.
    """
    from smartbreed.hub.client import SCRATCH

    database = hashlib.sha256(settings.resolved_database_url.encode()).hexdigest()[:16]

    def work(memory: dict[str, Any]) -> list[str]:
        if memory.get("database") != database:
            memory.update(database=database, since=time.time())
        gone = collect_orphans(flags.blobs, flags.sessions, older_than_s=DAY_S, since=float(memory["since"]))
        forget_deleted(flags.sessions)
        sweep(Path(tempfile.gettempdir()), SCRATCH)  # downloads of processes that were killed
        if gone:
            log.info("%d photos that no flag needs are deleted", gone)
        return []

    return work
