"""An amount of memory that requests share, and what a JSON text would cost of it, without parsing it.

Parsing is where small texts become large: 38 MB of ``[],`` become a gigabyte of lists, and
100,000 brackets in a row end in a ``RecursionError`` somewhere in a library.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque

import numpy as np

from smartbreed.core.errors import RequestError


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


#: Deepest nesting accepted.
MAX_DEPTH = 64
#: Most lists, objects and values together.
MAX_ITEMS = 50_000
#: Longest number: no double needs more.
MAX_DIGITS = 1_000

#: A string, or what is left of one that never ends. Possessive, so that it takes linear time.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|$)', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
#: Bytes looked at together.
_SLICE = 1 << 18
_STEP = np.zeros(256, np.int8)
_STEP[[ord("["), ord("{")]] = 1
_STEP[[ord("]"), ord("}")]] = -1
_ITEM = np.zeros(256, bool)
_ITEM[[ord("["), ord("{"), ord(",")]] = True


def check_json(text: bytes, *, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS) -> None:
    """Refuse a JSON text that is nested too deeply, has too many items or too long a number; valid or not.

    Raises:
        RequestError: ``bad_body``, 400 for the depth and a number, 413 for the number of items.
    """
    if b"\0" in text[:4] or text[:2] in (b"\xfe\xff", b"\xff\xfe"):  # parsers would read UTF-16 and UTF-32
        raise RequestError("bad_body", "JSON is sent in UTF-8.", status=400)
    bare = _STRING.sub(b"", text)
    if _LONG_NUMBER.search(bare):  # Python's parser raises what the MCP library takes for a fault of its own
        raise RequestError("bad_body", f"A number has more than {MAX_DIGITS:,} digits.", status=400)
    outside = np.frombuffer(bare, np.uint8)
    depth = items = 0
    for start in range(0, outside.size, _SLICE):  # the whole of it as numbers would take many times its size
        part = outside[start : start + _SLICE]
        depths = depth + np.cumsum(_STEP[part], dtype=np.int32)
        depth, items = int(depths[-1]), items + int(np.count_nonzero(_ITEM[part]))
        if int(depths.max()) > max_depth:
            raise RequestError("bad_body", f"The JSON is nested more than {max_depth} deep.", status=400)
        if items > max_items:
            raise RequestError("bad_body", f"The JSON has more than {max_items:,} items.", status=413)
