"""A worker of `smartbreed.imaging.decoders` with a fault: ``faulty_decoder.py HOW DESCRIPTOR``."""

from __future__ import annotations

import os
import re
import sys
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from smartbreed.imaging import decoding, decoding_worker


def hang(*_: Any, **__: Any) -> None:
    """Never come back, nor let any other thread of this process do anything."""
    re.match("(a+)+$", "a" * 200 + "b")


def die(*_: Any, **__: Any) -> None:
    os._exit(7)


_calls = 0


def die_at_the_third(*arguments: Any, **options: Any) -> Any:
    """Serve one file, which takes two calls, and be gone when the next one comes."""
    global _calls
    _calls += 1
    return os._exit(7) if _calls == 3 else decoding.decode(*arguments, **options)


def take_memory(*_: Any, **__: Any) -> Any:
    """Take a gigabyte more than is admitted."""
    return np.ones(1_000_000_000, np.uint8).reshape(10_000, -1, 5), (10_000, 20_000)


def ask_without_end(_: bytes, __: int, admit: Any, **___: Any) -> None:
    """Want more memory, however much there is."""
    admit(1 << 40)


def no_writing() -> None:
    """End this process at the first file that it opens for writing."""
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & writes:
            os._exit(8)

    sys.addaudithook(check)


if __name__ == "__main__":
    how = sys.argv[1]
    if how == "no_writing":
        no_writing()
    else:
        decoding_worker.decode = globals()[how]
    decoding_worker.main(Connection(int(sys.argv[2])))
