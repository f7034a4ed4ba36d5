"""Stands in for `training.explain.worker`; the first pixel says what to do."""

from __future__ import annotations

import os
import sys
import time
from array import array

from smartbreed.inference.worker_process import read_frame, write_frame

OK, CRASH, HANG, GARBAGE, BAD_BUNDLE, SLOW = range(6)


def main() -> None:
    out, count = sys.stdout.buffer, 0
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        header, body = frame
        number, order = header["id"], body[0]
        count += 1
        if order == CRASH:
            print("the end of stderr", file=sys.stderr, flush=True)
            os._exit(3)
        if order == HANG:
            write_frame(out, {"id": number, "progress": 0.0, "text": "hanging"})
            time.sleep(60)
        if order == GARBAGE:
            out.write(b"tensorflow says hello\n" * 9)
            out.flush()
            continue
        if order == BAD_BUNDLE:
            write_frame(out, {"id": number, "error": {"code": "bad_bundle", "message": "Bad weights."}})
            continue
        if order == SLOW:
            time.sleep(0.7)
        secrets = [name for name in os.environ if name.startswith(("HF_", "SMARTBREED_"))]
        for share in (0.0, 0.5, 1.0):
            write_frame(out, {"id": number, "progress": share, "text": f"secrets: {secrets}"})
        heat = array("f", [count / 100, header["index"] / 10, 0.5, 1.0])
        write_frame(out, {"id": number, "shape": [2, 2]}, heat.tobytes())


main()
