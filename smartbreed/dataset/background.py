"""Publishing while the app serves: now and then, when enough waits, and once more at the end.

In between, what is done once a day.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from smartbreed.dataset.publisher import Publisher, Report

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings

log = logging.getLogger(__name__)

#: Seconds between looks at how much waits.
_LOOK_S = 5.0
#: Seconds between looks at whether something daily is due.
_MAINTENANCE_S = 60.0
#: Seconds the end of the app waits for the last run; what it does not manage, the next start does.
LAST_RUN_S = 5.0


class BackgroundPublisher:
    """A daemon thread that runs a publisher.

    Args:
        publisher: what to run.
        every_s: seconds between runs; 0: it never publishes, and only does what is daily.
        size: rows waiting that start a run at once.
    """

    def __init__(self, publisher: Publisher, *, every_s: float, size: int) -> None:
        self._publisher = publisher
        self._every_s = every_s
        self._size = size
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._live, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin; the first run comes at once, and nobody waits for it."""
        if self._every_s or self._publisher.maintenance:
            self._thread.start()

    def stop(self, wait_s: float = LAST_RUN_S) -> None:
        """Publish what is waiting and end; after `wait_s` seconds it is left to the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _live(self) -> None:
        last = maintained = -float("inf")
        while not self._stopping:
            if self._every_s and (time.monotonic() - last >= self._every_s or self._enough()):
                last = time.monotonic()
                self._run()
            if time.monotonic() - maintained >= _MAINTENANCE_S and not self._stopping:
                maintained = time.monotonic()
                for job in self._publisher.maintenance:
                    job.run()
            self._wake.wait(min(_LOOK_S, self._every_s or _LOOK_S))
            self._wake.clear()
        if self._every_s:
            self._run()

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
            # Whatever it is, the app goes on, the flags are safe, and the next run tries again.
            log.warning("publishing failed: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
            return
        if report.problem:
            log.warning("not published, the flags are safe here: %s", report.problem)
        if report.published or report.removed:
            log.info("published %d rows, removed %d", report.published, report.removed)


def start_publishing(publisher: Publisher, settings: Settings) -> BackgroundPublisher:
    """Publish in the background as the settings say."""
    made = BackgroundPublisher(publisher, every_s=settings.publish_every, size=settings.publish_size)
    made.start()
    return made
