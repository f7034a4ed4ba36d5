"""The publisher of an installation, its daily maintenance, and publishing in the background of the app."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartbreed.core.database import forget_deleted
from smartbreed.core.maintenance import DAY_S, Maintenance
from smartbreed.core.periodic import PeriodicTask
from smartbreed.core.scratch import sweep
from smartbreed.dataset.decision_source import DecisionSource
from smartbreed.dataset.flag_source import FlagSource
from smartbreed.dataset.publisher import Publisher, Report
from smartbreed.feedback.blobs import collect_orphans
from smartbreed.feedback.flags import FlagService

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings

log = logging.getLogger(__name__)


def maintenance_tasks(settings: Settings, flags: FlagService) -> list[Maintenance]:
    """Return the maintenance jobs of an installation; nothing is opened before their first run.

    Args:
        settings: the installation's settings.
        flags: the opened outbox.
    """
    from smartbreed.hub.connection import chosen_hub
    from smartbreed.hub.embedded import hub_maintenance

    jobs = [Maintenance(settings.home_dir / "upkeep", photo_maintenance(settings, flags))]
    if chosen_hub(settings).embedded:
        jobs.append(hub_maintenance(settings.home_dir / "hub"))
    return jobs


def photo_maintenance(settings: Settings, flags: FlagService) -> Any:
    """Return the `Maintenance` work that deletes photos no flag needs, and what earlier versions kept.

    The photos are photos of withdrawn flags, and photos that a crash left without a flag. A photo that
    the database does not know is deleted only if it was written after this database came into use:
    an older photo may belong to another database, which may be used again.
    """
    from smartbreed.hub.client import SCRATCH

    database = hashlib.sha256(settings.resolved_database_url.encode()).hexdigest()[:16]

    def work(memory: dict[str, Any]) -> list[str]:
        if memory.get("database") != database:
            memory.update(database=database, since=time.time())
        gone = collect_orphans(flags.blobs, flags.sessions, older_than_s=DAY_S, since=float(memory["since"]))
        flags.forget_leftovers()
        forget_deleted(flags.sessions)
        sweep(Path(tempfile.gettempdir()), SCRATCH)  # downloads of processes that were killed
        if gone:
            log.info("%d photos that no flag needs are deleted", gone)
        return []

    return work


def open_publisher(settings: Settings, flags: FlagService) -> Publisher:
    """Return the publisher of an installation; it imports and sends nothing before its first run.

    Args:
        settings: the installation's settings.
        flags: the opened outbox, whose database the publisher shares.
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


#: Seconds between checks of how many rows wait.
_LOOK_S = 5.0
#: Seconds between checks whether maintenance is due.
_MAINTENANCE_S = 60.0


class BackgroundPublisher(PeriodicTask):
    """Runs a publisher in the background: at the start, then periodically, and once more at the end.

    Args:
        publisher: the publisher to run.
        every_s: seconds between runs; 0 means that it never publishes and only runs maintenance.
        size: number of waiting rows that starts a run at once.
    """

    def __init__(self, publisher: Publisher, *, every_s: float, size: int) -> None:
        last = self._run if every_s else None
        super().__init__("publisher", self._run_if_due, min(_LOOK_S, every_s or _LOOK_S), last=last)
        self._publisher = publisher
        self._publish_every_s = every_s
        self._size = size
        self._published = self._maintained = -float("inf")

    def start(self) -> None:
        if self._publish_every_s or self._publisher.maintenance:
            super().start()

    def _run_if_due(self) -> None:
        every_s = self._publish_every_s
        if every_s and (time.monotonic() - self._published >= every_s or self._enough()):
            self._published = time.monotonic()
            self._run()
        if time.monotonic() - self._maintained >= _MAINTENANCE_S and not self.stopping:
            self._maintained = time.monotonic()
            for job in self._publisher.maintenance:
                job.run()

    def _enough(self) -> bool:
        try:
            return self._publisher.waiting() >= self._size
        except Exception as error:
            log.warning("cannot see what is waiting: %s", error)
            return False

    def _run(self) -> None:
        try:
            report: Report = self._publisher.run()
        except Exception as error:
            # Publishing must never stop the app: the flags are saved, and the next run tries again.
            log.warning("publishing failed: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
            return
        if report.problem:
            log.warning("not published, the flags are safe here: %s", report.problem)
        if report.published or report.removed:
            log.info("published %d rows, removed %d", report.published, report.removed)
