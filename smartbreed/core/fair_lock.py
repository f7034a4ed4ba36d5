"""A lock with a queue of threads: first come, first served, and each knows how many are ahead of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from smartbreed.core.errors import UnavailableError


class FairLock:
    """A lock that admits one thread at a time, in order of arrival.

    Args:
        most_waiting: maximum number of waiting threads; a waiting thread can do nothing else.
    """

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._line: list[object] = []
        self._changed = threading.Condition()

    @contextmanager
    def take(self, progress: Callable[[int], None]) -> Iterator[None]:
        """Wait for a turn, and hold it during the block.

        Args:
            progress: called with the number of threads ahead, whenever that changes and is not 0.

        Raises:
            UnavailableError: ``busy``: too many threads are waiting already.
        """
        ticket = object()
        with self._changed:
            if len(self._line) > self._most_waiting:
                raise UnavailableError(
                    "busy", "Too many visitors are waiting for this just now; please try again in a minute."
                )
            self._line.append(ticket)
        try:
            before = -1
            while before != 0:
                before = self._next_place(ticket, before)
                if before:
                    progress(before)  # outside the condition's lock: it may be slow
            yield
        finally:
            with self._changed:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _next_place(self, ticket: object, known: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._line.index(ticket) != known)
            return self._line.index(ticket)
