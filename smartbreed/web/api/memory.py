"""An amount of memory that requests share."""

from __future__ import annotations

import asyncio
from collections import deque


class Memory:
    """An amount of memory that requests share, given out in the order of asking.

    Args:
        size: bytes in all. A request for more gets all of it, alone.
    """

    def __init__(self, size: int) -> None:
        self.size = self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, amount: int, *, patience_s: float) -> int:
        """Take ``amount`` bytes; answers what to `release` afterwards.

        Raises:
            TimeoutError: they were not free within ``patience_s`` seconds.
        """
        amount = min(amount, self.size)
        if not self._waiting and amount <= self._free:
            self._free -= amount
            return amount
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        try:
            async with asyncio.timeout(patience_s):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it came at the last moment
                self.release(amount)
            else:
                self._waiting.remove((amount, turn))
                self.release(0)  # those behind may need less
            raise
        return amount

    def release(self, amount: int) -> None:
        """Give back what `acquire` answered."""
        self._free += amount
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)
