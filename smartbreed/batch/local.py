"""Workers on the cores of this machine: photos are read ahead, and each core processes one at a time."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from smartbreed.batch.worker import Done, Options, read, work
from smartbreed.core.errors import PhotoError
from smartbreed.imaging.admission import Admission
from smartbreed.imaging.decoding import most_memory
from smartbreed.inference.pipeline import Identifier
from smartbreed.sources.items import Item, Remote

#: Files read at once, and remote photos read ahead: most of their time is spent waiting.
_READERS = 16
#: Local photos read ahead, for each thread.
_AHEAD = 4
_FOR_EVER_S = 86_400.0


def answers(identifier: Identifier, options: Options, items: Iterable[Item]) -> Generator[Done, None, None]:
    """Yield the result of each photo, in order.

    Memory does not grow with the number of photos: it holds at most `_READERS` remote files, or `_AHEAD`
    local files per thread, and one decoded photo per thread.
    """
    threads = identifier.threads
    # Threads wait for memory as long as it takes; none is refused, however large the waiting files are.
    large = most_memory(options.max_pixels)
    admission = Admission(
        large, large, patience_s=_FOR_EVER_S, most_waiting=threads, most_carried=sys.maxsize
    )

    def answer(item: Item, reading: Future[bytes | PhotoError]) -> Done:
        return work(identifier, options, item.name, reading.result(), admission)

    readers = ThreadPoolExecutor(_READERS, "read")
    workers = ThreadPoolExecutor(threads, "batch")
    waiting: deque[Future[Done]] = deque()
    try:
        for item in items:
            ahead = _READERS if isinstance(item.where, Remote) else _AHEAD * threads
            waiting.append(workers.submit(answer, item, readers.submit(read, item, options)))
            while len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for pool in (workers, readers):
            pool.shutdown(cancel_futures=True)
