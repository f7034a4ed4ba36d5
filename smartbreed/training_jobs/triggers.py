"""What starts a retraining without a hand: enough newly accepted photos, the clock, or a push.

The first two count the decisions of this app; the Hub's webhook on the dataset repo only makes it
count at once. Where SMARTBREED_RETRAIN_ON_PUSH asks for it, the webhook is a trigger of its own:
`smartbreed.training_jobs.dataset_changes` then looks into the dataset repo, to which others publish too.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.periodic import PeriodicTask
from smartbreed.training_jobs.dataset_changes import DatasetChanges
from smartbreed.training_jobs.job import Job
from smartbreed.training_jobs.jobs import Jobs

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 60.0
#: As long after a release, the list of releases may still be that of before.
_SETTLES = dt.timedelta(seconds=30)
#: After one that broke off, not through lack of photos, the next may come without new ones.
_RETRY = dt.timedelta(hours=1)


def due(
    waiting: int,
    last: Job | None,
    *,
    after: int,
    every_h: float,
    now: dt.datetime,
    asked: bool = False,
    fewest: int | None = None,
) -> str | None:
    """Whether a retraining should start by itself.

    Args:
        waiting: accepted photos that no version has learnt from.
        last: the retraining before, whatever became of it.
        after: newly accepted photos that start one; 0: never.
        every_h: hours between two; 0: never.
        now: aware.
        asked: a webhook made us look.
        fewest: the lowest that `waiting` was since the last one ended, as far as was looked.

    Returns:
        The trigger's name (a key of `smartbreed.training_jobs.job.TRIGGERS`), or None. Nothing is due
        without a photo that the last attempt did not have: the same ones would be refused again.
    """
    if last is not None and (
        last.running or (last.state == "released" and now - (last.ended_at or now) < _SETTLES)
    ):
        return None
    fresh = waiting - min(_already_tried(last, now), waiting if fewest is None else fewest)
    if fresh < 1:
        return None
    if after and fresh >= after:
        return "webhook" if asked else "count"
    if every_h and (last is None or now - last.spec.started_at >= dt.timedelta(hours=every_h)):
        return "schedule"
    return None


def _already_tried(last: Job | None, now: dt.datetime) -> int:
    """Of the waiting photos, those the last attempt had: refused, or passed over in a version that was
    released (over one person's share, or of a breed with too few)."""
    if last is None:
        return 0
    if last.state in ("failed", "lost"):
        return 0 if now - (last.ended_at or now) >= _RETRY else last.spec.accepted
    result = last.progress.result
    if last.state == "released":
        return 0 if result is None or result.took is None else max(0, last.spec.accepted - result.took)
    return last.spec.accepted


class Triggers(PeriodicTask):
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
        super().__init__("retraining-triggers", self.look, look_every_s, patience_s=10.0)
        self._jobs, self._waiting, self._start = jobs, waiting, start
        self._after, self._every_h = after, every_h
        self._dataset_changes: DatasetChanges | None = None
        self._asked = False
        self._since, self._fewest = "", 0

    @property
    def active(self) -> bool:
        """Whether anything but a hand can start a retraining."""
        return bool(self._after or self._every_h or self._dataset_changes)

    def start(self, *, on_push: bool = False) -> None:
        """Begin to look.

        Args:
            on_push: whether a push to the dataset repo starts a retraining by itself.
        """
        if on_push and self._dataset_changes is None:
            self._dataset_changes = DatasetChanges(self._jobs)
        if self.active:
            super().start()

    def look_soon(self) -> bool:
        """A webhook reported a change: look now. False when no such change starts a retraining here."""
        if not (self._after or self._dataset_changes) or not self.started:
            return False
        if self._dataset_changes is not None:
            self._dataset_changes.reported()
        self._asked = True
        self.wake()
        return True

    def look(self) -> Job | None:
        """Look once; start what is due. Never raises."""
        asked, self._asked = self._asked, False
        try:
            last = self._jobs.latest()
            now = dt.datetime.now(dt.UTC)
            trigger = self._counted(last, now, asked) if self._after or self._every_h else None
            if trigger is None and self._dataset_changes is not None and self._dataset_changes.due(last, now):
                trigger = "webhook"
            if trigger is not None:
                return self._start(trigger)
        except SmartBreedError as error:
            log.warning("no retraining was started: %s", error.message)
        except Exception:
            log.exception("looking for a reason to retrain failed")
        return None

    def _counted(self, last: Job | None, now: dt.datetime, asked: bool) -> str | None:
        waiting = self._waiting()
        since = "" if last is None or last.running else last.spec.id
        # Fewer than the last attempt had: another machine has learnt them, or they were taken back.
        # What comes on top of those is new.
        self._fewest = min(self._fewest, waiting) if since == self._since else waiting
        self._since = since
        return due(
            waiting, last, after=self._after, every_h=self._every_h, now=now, asked=asked, fewest=self._fewest
        )
