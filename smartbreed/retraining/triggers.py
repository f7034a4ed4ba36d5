"""What starts a retraining without a hand: enough newly accepted photos, or the clock.

The Hub's webhook on the dataset repo only makes the first of them look at once.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable

from smartbreed.errors import SmartBreedError
from smartbreed.retraining.job import Job
from smartbreed.retraining.jobs import Jobs

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 60.0
#: After one that broke off, not through lack of photos, the next may come without new ones.
_RETRY = dt.timedelta(hours=1)


def due(
    waiting: int, last: Job | None, *, after: int, every_h: float, now: dt.datetime, asked: bool = False
) -> str | None:
    """Whether a retraining should start by itself.

    Args:
        waiting: accepted photos that no version has learnt from.
        last: the retraining before, whatever became of it.
        after: newly accepted photos that start one; 0: never.
        every_h: hours between two; 0: never.
        now: aware.
        asked: a webhook made us look.

    Returns:
        The trigger's name (a key of `smartbreed.retraining.job.TRIGGERS`), or None. Without a
        waiting photo nothing is due: there is nothing to learn.
    """
    if waiting < 1 or (last is not None and last.running):
        return None
    if after and waiting - _already_tried(last, now) >= after:
        return "webhook" if asked else "count"
    if every_h and (last is None or now - last.order.started_at >= dt.timedelta(hours=every_h)):
        return "schedule"
    return None


def _already_tried(last: Job | None, now: dt.datetime) -> int:
    """Of the waiting photos, those the last attempt had and could make nothing of."""
    if last is None or last.state == "released":
        return 0
    if last.state in ("failed", "lost") and now - (last.ended_at or now) >= _RETRY:
        return 0
    return last.order.accepted


class Triggers:
    """Looks from time to time, in a thread of its own; does nothing unless a trigger is set.

    Args:
        jobs: what has run.
        waiting: counts accepted photos that no version has learnt from; may raise.
        start: starts one, given the trigger's name; may raise.
        after: as for `due`.
        every_h: as for `due`.
    """

    def __init__(
        self,
        jobs: Jobs,
        waiting: Callable[[], int],
        start: Callable[[str], Job],
        *,
        after: int = 0,
        every_h: float = 0.0,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._jobs, self._waiting, self._start = jobs, waiting, start
        self._after, self._every_h = after, every_h
        self._look_every_s = look_every_s
        self._wake = threading.Event()
        self._asked = False
        self._stopped = False
        self._thread: threading.Thread | None = None

    @property
    def active(self) -> bool:
        """Whether anything but a hand can start a retraining."""
        return bool(self._after or self._every_h)

    def start(self) -> None:
        """Begin to look."""
        if self.active and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="retraining-triggers", daemon=True)
            self._thread.start()

    def look_soon(self) -> bool:
        """A webhook told of a change: count now. False when no count starts a retraining here."""
        if not self._after or self._thread is None:
            return False
        self._asked = True
        self._wake.set()
        return True

    def look(self) -> Job | None:
        """Look once; start what is due. Never raises."""
        asked, self._asked = self._asked, False
        try:
            last = self._jobs.latest()
            waiting = self._waiting()
            now = dt.datetime.now(dt.UTC)
            trigger = due(waiting, last, after=self._after, every_h=self._every_h, now=now, asked=asked)
            if trigger is not None:
                return self._start(trigger)
        except SmartBreedError as error:
            log.warning("no retraining was started: %s", error.message)
        except Exception:
            log.exception("looking for a reason to retrain failed")
        return None

    def close(self) -> None:
        """Stop looking; a retraining that runs is not touched."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def _work(self) -> None:
        while not self._stopped:
            self.look()
            self._wake.wait(self._look_every_s)
            self._wake.clear()
