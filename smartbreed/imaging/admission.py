"""Admission control: how much memory photos may take at once, whichever interface they come through.

A PNG of 300 kB can unpack to 100 megapixels, and a handful of those at once to more memory than the
machine has. Every photo is therefore admitted with the bytes it will take, before they are taken,
and holds them until its pixels are gone. Large photos come one after another in a lane of their
own, so that ordinary ones never wait behind them.
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

#: Memory of all ordinary photos together, in bytes.
ORDINARY = 192_000_000
#: Seconds that a photo waits for its memory.
PATIENCE_S = 20.0
#: Most photos that wait for memory in a lane, and most bytes that their files may have together: each of
#: them holds a thread and its file. Further ones are refused at once.
MOST_WAITING, MOST_CARRIED = 4, 96_000_000
#: Processes in which costly files are decoded (`smartbreed.imaging.decoders`).
WORKERS = max(2, min(4, os.cpu_count() or 1))


class Lane:
    """Memory that is given out in the order of asking.

    Args:
        size: bytes in all. A photo that needs more gets all of it, alone.
        most_waiting, most_carried: as `MOST_WAITING` and `MOST_CARRIED`.
    """

    def __init__(self, size: int, most_waiting: int, most_carried: int = MOST_CARRIED) -> None:
        self.size = size
        self._free = size
        self._changed = threading.Condition()
        self._waiting: deque[tuple[object, int]] = deque()
        self._most_waiting, self._most_carried = most_waiting, most_carried

    def acquire(self, amount: int, patience_s: float, carried: int = 0) -> int | None:
        """Wait for ``amount`` bytes.

        Args:
            amount: bytes wanted.
            patience_s: seconds to wait at most.
            carried: bytes that are held while waiting.

        Returns:
            What to `release`; None when the lane is too full.
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
        """Give back what `acquire` answered."""
        with self._changed:
            self._free += amount
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Photos that wait."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """Bytes given out."""
        return self.size - self._free


class Admission:
    """The one gate of all interfaces; safe to use from many threads at once.

    Args:
        ordinary: bytes that ordinary photos may take together; what takes over two thirds of it is large.
        large: bytes that large photos may take together: as much as the largest one needs.
        patience_s: seconds that a photo waits.
        most_waiting: large photos that wait at most, or for a worker, and an eighth of ordinary ones.
    """

    def __init__(
        self, ordinary: int, large: int, *, patience_s: float = PATIENCE_S, most_waiting: int = MOST_WAITING
    ) -> None:
        self.ordinary = Lane(ordinary, most_waiting=8 * most_waiting)
        self.large = Lane(max(large, ordinary), most_waiting=most_waiting)
        self.workers = Lane(WORKERS, most_waiting=most_waiting)
        self._patience_s = patience_s

    @contextmanager
    def turn(self, carried: int = 0) -> Iterator[None]:
        """Wait until a worker is free, which is held inside.

        Args:
            carried: bytes of the photo's file.

        Raises:
            PhotoError: ``busy``: none was in time, or too many photos wait already.
        """
        held = self.workers.acquire(1, self._patience_s, carried)
        if held is None:
            raise busy()
        try:
            yield
        finally:
            self.workers.release(held)

    def admit(self, amount: int, *, carried: int = 0) -> Reservation:
        """Wait until ``amount`` bytes are free.

        Args:
            amount: bytes that the photo will take.
            carried: bytes of its file, which it holds while it waits.

        Raises:
            PhotoError: ``busy``: they were not free in time, or too many wait already.
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
    """What a photo is refused with when there is no room for it now."""
    return PhotoError("busy", "Too many photos are being looked at. Try again in a minute.")


class Reservation:
    """Memory that was admitted, until `release` or until what it is `bound` to is gone."""

    def __init__(self, lane: Lane, amount: int) -> None:
        self._lane, self._amount = lane, amount
        self._lock = threading.Lock()

    def release(self) -> None:
        """Give it back; once."""
        with self._lock:
            amount, self._amount = self._amount, 0
        if amount:
            self._lane.release(amount)

    def bind(self, owner: object) -> None:
        """Give it back when ``owner`` is gone."""
        weakref.finalize(owner, self.release).atexit = False
