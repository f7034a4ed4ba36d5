"""A memory budget that requests share, and a check that JSON is cheap to parse, without parsing it.

Parsing can turn a small text into large objects: 38 MB of ``[],`` become a gigabyte of lists, and
100,000 brackets in a row end in a ``RecursionError`` somewhere in a library.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress

import numpy as np

from smartbreed.core.errors import RequestError


class Memory:
    """A memory budget that requests share, granted in the order in which they ask.

    Args:
        size: bytes in all. A request for more waits until it can have all of them.
    """

    def __init__(self, size: int) -> None:
        self.size = self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, amount: int, *, patience_s: float) -> int:
        """Reserve ``amount`` bytes; return how many to `release` afterwards.

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
            if turn.done() and not turn.cancelled():  # granted at the last moment
                self.release(amount)
            else:
                with suppress(ValueError):  # `release` has passed it over already
                    self._waiting.remove((amount, turn))
                self.release(0)  # the next in line may need less
            raise
        return amount

    def release(self, amount: int) -> None:
        """Release what `acquire` returned, and grant it to those who wait."""
        self._free += amount
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)


#: Deepest nesting accepted.
MAX_DEPTH = 64
#: Most lists, objects and values in total.
MAX_ITEMS = 50_000
#: Most digits of a number: no double needs more.
MAX_DIGITS = 1_000

#: A string, or an unterminated one up to the end. It matches at every quote, and its quantifiers are
#: possessive, so that no byte is read twice.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
#: Bytes checked at a time.
_SLICE = 1 << 18
_STEP = np.zeros(256, np.int8)
_STEP[[ord("["), ord("{")]] = 1
_STEP[[ord("]"), ord("}")]] = -1
_ITEM = np.zeros(256, bool)
_ITEM[[ord("["), ord("{"), ord(",")]] = True
_OTHER = np.ones(256, bool)
_OTHER[list(b"0123456789")] = False


def check_json(text: bytes, *, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS) -> None:
    """Reject a JSON text, valid or not, that is nested too deeply or has too many items or too long a number.

    Raises:
        RequestError: ``bad_body``; 400 for the depth, a number, UTF-16 or UTF-32, 413 for too many items.
    """
    if b"\0" in text[:4] or text[:2] in (b"\xfe\xff", b"\xff\xfe"):  # UTF-16 or UTF-32, which parsers accept
        raise RequestError("bad_body", "JSON is sent in UTF-8.", status=400)
    # An item has two strings at most, a key and a value. To find millions would keep all threads waiting.
    most = 2 * max_items + 1
    bare, strings = _STRING.subn(b"", text, count=most + 1)
    if strings > most:
        raise _too_many(max_items)
    outside = np.frombuffer(bare, np.uint8)
    depth = items = digits = 0
    for start in range(0, outside.size, _SLICE):  # depths of the whole text would take many times its size
        part = outside[start : start + _SLICE]
        # Between two of these places there is nothing but digits; the first counts those of earlier slices.
        between = np.concatenate(([-1 - digits], np.flatnonzero(_OTHER[part]), [part.size]))
        if int(np.diff(between).max()) - 1 > MAX_DIGITS:
            # Python's parser raises what the MCP library takes for its own fault.
            raise RequestError("bad_body", f"A number has more than {MAX_DIGITS:,} digits.", status=400)
        digits = int(between[-1] - between[-2]) - 1
        depths = depth + np.cumsum(_STEP[part], dtype=np.int32)
        depth, items = int(depths[-1]), items + int(np.count_nonzero(_ITEM[part]))
        if int(depths.max()) > max_depth:
            raise RequestError("bad_body", f"The JSON is nested more than {max_depth} deep.", status=400)
        if items > max_items:
            raise _too_many(max_items)


def _too_many(max_items: int) -> RequestError:
    return RequestError("bad_body", f"The JSON has more than {max_items:,} items.", status=413)
