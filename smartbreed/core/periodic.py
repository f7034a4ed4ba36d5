"""Periodic work while the app runs, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class PeriodicTask:
    """A daemon thread that calls a function at intervals, and soon after `wake`.

    Args:
        name: of the thread.
        work: the function. It may return the seconds until its next call, as a float, instead of
            ``every_s``. An exception is logged, and the next call comes as usual.
        every_s: seconds to rest between two calls.
        at_once: True: the first call comes at the start; False: after one rest.
        patience_s: seconds that `stop` waits for the thread to end.
        last: called once at the end.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        every_s: float,
        *,
        at_once: bool = True,
        patience_s: float = 5.0,
        last: Callable[[], object] | None = None,
    ) -> None:
        self._name, self._work, self._every_s, self._last = name, work, every_s, last
        self._at_once, self._patience_s = at_once, patience_s
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        return self._thread is not None

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called, so that the work should come to an end."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Start the thread; further calls do nothing."""
        with self._guard:
            if self._thread is None and not self.stopping:
                self._thread = threading.Thread(target=self._live, name=self._name, daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Make the next call come soon; returns at once."""
        self._woken.set()

    def stop(self, patience_s: float | None = None) -> None:
        """Stop the thread, and wait for it at most ``patience_s`` seconds; None: the default."""
        self._stopped.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(self._patience_s if patience_s is None else patience_s)

    def _live(self) -> None:
        rest = 0.0 if self._at_once else self._every_s
        while True:
            self._woken.wait(rest)
            self._woken.clear()
            if self.stopping:
                break
            answer = self._once(self._work)
            rest = answer if isinstance(answer, float) else self._every_s
        if self._last is not None:
            self._once(self._last)

    def _once(self, work: Callable[[], object]) -> object:
        try:
            return work()
        except Exception:
            log.exception("%s: something went wrong, and is tried again", self._name)
            return None
