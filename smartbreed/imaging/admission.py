"""Admission control: how much memory photos may take at once, whichever interface they come through.

A PNG of 300 kB can unpack to 100 megapixels, and a handful of those at once to more memory than the
machine has. So every photo is admitted with the bytes it will take, before it takes them, and holds
them until its pixels are freed. Large photos are decoded one after another in a lane of their own, so
that ordinary ones never wait behind them.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from smartbreed.core.errors import PhotoError

#: Memory that all ordinary photos together may take, in bytes.
ORDINARY = 192_000_000
#: Seconds that a photo waits for its memory.
PATIENCE_S = 20.0
#: Maximum number of photos that wait in a lane, and maximum bytes of their files together: each of them
#: holds a thread and its file. Further photos are refused at once.
MOST_WAITING, MOST_CARRIED = 4, 96_000_000
#: Number of processes that decode costly files (`smartbreed.imaging.decoders`).
WORKERS = max(2, min(4, os.cpu_count() or 1))


class Lane:
    """A limited amount of memory (or workers), granted in the order of the requests.

    Args:
        size: total amount, in bytes or workers. A request for more gets all of it, alone.
        most_waiting, most_carried: as `MOST_WAITING` and `MOST_CARRIED`.
    """

    def __init__(self, size: int, most_waiting: int, most_carried: int = MOST_CARRIED) -> None:
        self.size = size
        self._free = size
        self._changed = threading.Condition()
        self._waiting: deque[tuple[object, int]] = deque()
        self._most_waiting, self._most_carried = most_waiting, most_carried

    def acquire(self, amount: int, patience_s: float, carried: int = 0) -> int | None:
        """Wait until ``amount`` is free, and take it.

        Args:
            amount: bytes (or workers) wanted.
            patience_s: maximum seconds to wait.
            carried: bytes that the caller holds while waiting.

        Returns:
            The amount to `release`; None if the lane was too full, or nothing was free in time.
        """
        amount, ticket = min(amount, self.size), (object(), carried)
        deadline = time.monotonic() + patience_s
        with self._changed:
            at_once = not self._waiting and self._free >= amount
            if not at_once and (
                len(self._waiting) >= self._most_waiting
                or carried + sum(held for _, held in self._waiting) > self._most_carried
            ):
                return None
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self._free < amount:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return None
                    self._changed.wait(left)
                self._free -= amount
                return amount
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def release(self, amount: int) -> None:
        """Give back the amount that `acquire` returned."""
        with self._changed:
            self._free += amount
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Number of waiting requests."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """Amount that is granted now."""
        return self.size - self._free


class Admission:
    """The admission control of all interfaces; safe to use from many threads at once.

    Args:
        ordinary: bytes that ordinary photos may take together; a photo that needs over two thirds is large.
        large: bytes that large photos may take together: as much as the largest one needs.
        patience_s: seconds that a photo waits.
        most_waiting: maximum number of large photos that wait for memory, and of photos that wait for a
            worker; eight times as many ordinary photos may wait for memory.
        most_carried: maximum bytes of the files of the photos that wait for any one of these.
    """

    def __init__(
        self, ordinary: int, large: int, *, patience_s: float = PATIENCE_S, most_waiting: int = MOST_WAITING,
        most_carried: int = MOST_CARRIED,
    ) -> None:  # fmt: skip
        self.ordinary = Lane(ordinary, 8 * most_waiting, most_carried)
        self.large = Lane(max(large, ordinary), most_waiting, most_carried)
        self.workers = Lane(WORKERS, most_waiting, most_carried)
        self._patience_s = patience_s

    @contextmanager
    def turn(self, carried: int = 0) -> Iterator[None]:
        """Wait for a free worker, and hold it during the block.

        Args:
            carried: bytes of the photo's file.

        Raises:
            PhotoError: ``busy``: no worker was free in time, or too many photos wait already.
        """
        held = self.workers.acquire(1, self._patience_s, carried)
        if held is None:
            raise busy()
        try:
            yield
        finally:
            self.workers.release(held)

    def admit(self, amount: int, *, carried: int = 0) -> Reservation:
        """Wait until ``amount`` bytes are free, and reserve them.

        Args:
            amount: bytes that the photo will take.
            carried: bytes of its file, which it holds while it waits.

        Raises:
            PhotoError: ``busy``: the bytes were not free in time, or too many photos wait already.
        """
        lane = self.ordinary if amount <= self.ordinary.size * 2 // 3 else self.large
        held = lane.acquire(amount, self._patience_s, carried)
        if held is None:
            raise busy()
        return Reservation(lane, held)

    @property
    def held(self) -> int:
        """Bytes that photos hold now."""
        return self.ordinary.held + self.large.held


def busy() -> PhotoError:
    """Return the error for a photo that cannot be admitted now."""
    return PhotoError("busy", "Too many photos are being looked at. Try again in a minute.")


class Reservation:
    """Memory that stays reserved until `release`, or until the object given to `bind` is gone."""

    def __init__(self, lane: Lane, amount: int) -> None:
        self._lane, self._amount = lane, amount
        self._lock = threading.Lock()

    def release(self) -> None:
        """Give the memory back; further calls do nothing."""
        with self._lock:
            amount, self._amount = self._amount, 0
        if amount:
            self._lane.release(amount)

    def bind(self, owner: object) -> None:
        """Give the memory back when ``owner`` is garbage-collected."""
        weakref.finalize(owner, self.release).atexit = False
