"""What a JSON text would cost to parse, estimated from its bytes without parsing it.

Parsing is where small texts become large: 38 MB of ``[],`` become a gigabyte of lists, and
100,000 brackets in a row end in a ``RecursionError`` somewhere in a library.
"""

from __future__ import annotations

import re

import numpy as np

from smartbreed.core.errors import RequestError

#: Deepest nesting accepted.
MAX_DEPTH = 64
#: Most lists, objects and values together.
MAX_ITEMS = 50_000

#: A string, or what is left of one that never ends. Possessive, so that it takes linear time.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|$)', re.DOTALL)
#: Bytes looked at together.
_SLICE = 1 << 18
_STEP = np.zeros(256, np.int8)
_STEP[[ord("["), ord("{")]] = 1
_STEP[[ord("]"), ord("}")]] = -1
_ITEM = np.zeros(256, bool)
_ITEM[[ord("["), ord("{"), ord(",")]] = True


def check_json(text: bytes, *, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS) -> None:
    """Refuse a JSON text that is nested too deeply or has too many items; valid or not.

    Raises:
        RequestError: ``bad_body``, 400 for the depth and 413 for the number of items.
    """
    if b"\0" in text[:4] or text[:2] in (b"\xfe\xff", b"\xff\xfe"):  # parsers would read UTF-16 and UTF-32
        raise RequestError("bad_body", "JSON is sent in UTF-8.", status=400)
    outside = np.frombuffer(_STRING.sub(b"", text), np.uint8)
    depth = items = 0
    for start in range(0, outside.size, _SLICE):  # the whole of it as numbers would take many times its size
        part = outside[start : start + _SLICE]
        depths = depth + np.cumsum(_STEP[part], dtype=np.int32)
        depth, items = int(depths[-1]), items + int(np.count_nonzero(_ITEM[part]))
        if int(depths.max()) > max_depth:
            raise RequestError("bad_body", f"The JSON is nested more than {max_depth} deep.", status=400)
        if items > max_items:
            raise RequestError("bad_body", f"The JSON has more than {max_items:,} items.", status=413)
